"""Plan, run and judge a comparison."""
