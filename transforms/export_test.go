package transforms

// Jaccard is jaccard for the tests that see the package from outside.
var Jaccard = jaccard
