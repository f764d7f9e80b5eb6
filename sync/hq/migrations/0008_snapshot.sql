-- Snapshots and a feed that does not grow for ever.

-- Snapshots go by the order of bytes, as tills sort; the primary keys go by the database's own collation.
CREATE INDEX account_by_bytes ON account (account_id COLLATE "C");
CREATE INDEX card_by_bytes ON card (token COLLATE "C");

-- When a change was noted, so that old ones can be dropped.
ALTER TABLE feed ADD COLUMN at timestamptz NOT NULL DEFAULT now();

-- Everything up to here was dropped from the feed: a till that has read less takes a snapshot.
ALTER TABLE head_office ADD COLUMN feed_from_tx bigint NOT NULL DEFAULT 0;
ALTER TABLE head_office ADD COLUMN feed_from_position bigint NOT NULL DEFAULT 0;

-- Which database this is, by PostgreSQL's own names: another one here means that this was restored from a backup.
ALTER TABLE head_office ADD COLUMN place text;
