-- How much of the review sample has been looked at?
-- For the lead of the reviewers: a review counts only for the content that was seen; stale ones have to be done again.
select
    review_sample.stratum,
    round(any_value(review_sample.rate), 3) as rate,
    count(distinct review_sample.example_id) as drawn,
    count(distinct reviews.example_id) filter (reviews.content_hash = review_sample.content_hash) as reviewed,
    count(distinct reviews.example_id) filter (reviews.content_hash <> review_sample.content_hash) as stale,
    count(distinct reviews.example_id) filter (reviews.content_hash = review_sample.content_hash and reviews.verdict = 'reject') as rejected,

from curated.review_sample as review_sample
left join curated.reviews as reviews on review_sample.example_id = reviews.example_id

group by review_sample.stratum
order by drawn desc, review_sample.stratum;
