-- What became of the examples, by source?
-- For whoever waits for a training set: every example has exactly one fate, so each line adds up.
select
    source,
    count(*) filter (fate = 'train') as train,
    count(*) filter (fate = 'validation') as validation,
    count(*) filter (fate = 'test') as test,
    count(*) filter (fate = 'open') as open,
    count(*) filter (fate = 'excluded') as excluded,
    count(*) as examples,

from curated.funnel

group by source
order by examples desc, source;
