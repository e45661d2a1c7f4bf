"""The least that could do the same job with the same server and driver."""
