-- What a person decides about parked entries, and what tills must know to show them.

-- Two entries can come under one number, when a till or its disk was copied: the digest tells them apart.
ALTER TABLE parked ADD COLUMN IF NOT EXISTS digest bytea;
UPDATE parked p SET digest = r.digest FROM received r
WHERE p.digest IS NULL AND (r.terminal_id, r.epoch, r.seq) = (p.terminal_id, p.epoch, p.seq);
UPDATE parked SET digest = sha256(raw) WHERE digest IS NULL;
ALTER TABLE parked ALTER COLUMN digest SET NOT NULL;
ALTER TABLE parked DROP CONSTRAINT parked_pkey;
ALTER TABLE parked ADD PRIMARY KEY (terminal_id, epoch, seq, digest);

-- What the entry says, as far as it can be read.
ALTER TABLE parked ADD COLUMN card text;
ALTER TABLE parked ADD COLUMN kind text;
ALTER TABLE parked ADD COLUMN points bigint NOT NULL DEFAULT 0;
ALTER TABLE parked ADD COLUMN business_date date;
UPDATE parked SET
    card = convert_from(raw, 'UTF8')::jsonb ->> 'card',
    kind = convert_from(raw, 'UTF8')::jsonb ->> 'kind',
    points = (convert_from(raw, 'UTF8')::jsonb ->> 'points')::bigint
WHERE code <> 'unreadable';
UPDATE parked p SET business_date = r.business_date FROM received r
WHERE (r.terminal_id, r.epoch, r.seq, r.digest) = (p.terminal_id, p.epoch, p.seq, p.digest);

ALTER TABLE parked ADD COLUMN state text NOT NULL DEFAULT 'open'
    CHECK (state IN ('open', 'referred', 'linked', 'approved', 'reversed'));
CREATE INDEX parked_card ON parked (card) WHERE resolved_at IS NULL;

-- Who decided what about a parked entry, and why. A store's word came as an entry of a terminal; head office's own has none.
CREATE TABLE resolution (
    terminal_id text NOT NULL,
    epoch integer NOT NULL,
    seq bigint NOT NULL,
    digest bytea NOT NULL,
    number bigint GENERATED ALWAYS AS IDENTITY,
    action text NOT NULL CHECK (action IN ('link', 'approve', 'reverse', 'refer')),
    account_id text,
    reason text NOT NULL,
    approver text NOT NULL,
    by_terminal text,
    by_epoch integer,
    by_seq bigint,
    at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (terminal_id, epoch, seq, digest, number)
);

-- Which subjects there are is known where the feed is read.
ALTER TABLE feed DROP CONSTRAINT IF EXISTS feed_subject_check;
