-- What a parked return takes goods back from: it is judged again when that sale is booked after all.
ALTER TABLE parked ADD COLUMN original uuid;
CREATE INDEX parked_returns ON parked (original) WHERE resolved_at IS NULL AND code = 'return_unknown';

-- The points of an account that lapse next, and their last day: as of the last night, less what was spent since.
CREATE TABLE expiring (
    account_id text PRIMARY KEY,
    expires_on date NOT NULL,
    points bigint NOT NULL CHECK (points >= 0)
);
