-- Does anything link training to validation?
-- The check before every export: each count must be 0.
select
    kind,
    link_count,
    link_count = 0 as is_clean,

from curated.leaks

order by link_count desc, kind;
