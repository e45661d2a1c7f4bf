-- squawk-ignore-file require-concurrent-index-creation
SET LOCAL lock_timeout = '3s';
SET LOCAL statement_timeout = '60s';

CREATE INDEX news_event_subject ON news.event (subject);
COMMENT ON INDEX news.news_event_subject IS 'What a buyer wrote is taken out of the news of their orders, once they are forgotten.';
