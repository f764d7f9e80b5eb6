-- Points set aside before they are spent: holds for a sale under way, leases for a till that may lose its line.

-- Counts against what is available until it runs out, is booked or is released.
CREATE TABLE hold (
    account_id text NOT NULL,
    hold_id uuid NOT NULL,
    terminal_id text NOT NULL,
    session text NOT NULL,
    points bigint NOT NULL CHECK (points > 0),
    state text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'captured', 'late', 'booked', 'released')),
    made_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    entry_id uuid,
    PRIMARY KEY (account_id, hold_id)
);
CREATE INDEX hold_by_id ON hold (hold_id);
CREATE INDEX hold_open ON hold (account_id) WHERE state IN ('active', 'captured');

-- What is left of it counts against what is available until it is reclaimed or revoked, however old it is.
CREATE TABLE lease (
    account_id text NOT NULL,
    lease_id uuid NOT NULL,
    terminal_id text NOT NULL,
    epoch integer NOT NULL,
    points bigint NOT NULL CHECK (points > 0),
    spent bigint NOT NULL DEFAULT 0 CHECK (spent BETWEEN 0 AND points),
    state text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'reclaimed', 'revoked')),
    granted_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    reclaim_at timestamptz NOT NULL,
    -- The terminal's word that no entry after this number spends from it.
    closed_seq bigint,
    ended_at timestamptz,
    ended_by text,
    PRIMARY KEY (account_id, lease_id)
);
CREATE INDEX lease_by_id ON lease (lease_id);
CREATE INDEX lease_live ON lease (account_id) WHERE state = 'active';
CREATE INDEX lease_of_terminal ON lease (terminal_id, lease_id) WHERE state = 'active';
CREATE INDEX lease_due ON lease (reclaim_at) WHERE state = 'active';

-- Points of a sale that nobody had set aside and that were not there any more when it was booked.
ALTER TABLE ledger ADD COLUMN debt bigint NOT NULL DEFAULT 0 CHECK (debt >= 0);
CREATE INDEX ledger_debt ON ledger (account_id) WHERE debt > 0;

-- The terminal a change is for; none for those that concern every till.
ALTER TABLE feed ADD COLUMN terminal_id text;
-- Which subjects there are is known where the feed is read.
ALTER TABLE feed DROP CONSTRAINT IF EXISTS feed_subject_check;
