-- How long a message was asked for counts from when it was asked for, also when it is sent again after days.
SET LOCAL lock_timeout = '3s';
SET LOCAL statement_timeout = '60s';

ALTER TABLE news.delivery ADD COLUMN asked_at timestamptz NOT NULL DEFAULT now();
