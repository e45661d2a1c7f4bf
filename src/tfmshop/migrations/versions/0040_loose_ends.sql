-- What truths look at: jobs that are not done.
SET LOCAL lock_timeout = '3s';
SET LOCAL statement_timeout = '60s';

CREATE VIEW jobs.unfinished AS SELECT entrypoint AS name, payload, created AS since, status FROM jobs.pgqueuer;
