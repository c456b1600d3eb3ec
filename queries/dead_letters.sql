-- Which records could not be understood, and why?
-- For the operator: nothing unreadable is dropped. After a fix of the reader, read these again.
select
    reason,
    coalesce(file, topic) as came_from,
    format,
    count(distinct id) as records,
    sum(length_bytes) as bytes,
    min(line) as first_line,
    any_value(left(detail, 80)) as an_example,

from events.dead_letters

group by reason, came_from, format
order by records desc, reason, came_from;
