-- Why were examples excluded?
-- For whoever finds the training set too small: the first reason decides, so the counts add up. One example each to look at.
select
    reason,
    source,
    count(*) as examples,
    round(count(*) / sum(count(*)) over (), 3) as share,
    min(example_id) as an_example,

from curated.funnel

where fate = 'excluded'

group by reason, source
order by examples desc, reason, source;
