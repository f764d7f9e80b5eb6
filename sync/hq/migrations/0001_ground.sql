-- The ground of head office's schema: who may send, what was received, what was booked, and what tills must hear of.
--
-- Distribution: ledger and balance carry account_id first in their primary key; terminal, stream, received, parked and
-- evidence go by terminal_id; store, card, programme and head_office are small or copied everywhere. No foreign key
-- crosses those lines, so the same tables can be spread over several servers.

CREATE TABLE head_office (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    signing_key bytea NOT NULL CHECK (length(signing_key) = 32),
    card_key bytea NOT NULL CHECK (length(card_key) = 32),
    feed_epoch text NOT NULL
);

CREATE TABLE store (
    store_id text PRIMARY KEY,
    name text NOT NULL
);

CREATE TABLE terminal (
    terminal_id text PRIMARY KEY,
    store_id text NOT NULL,
    name text NOT NULL,
    public_key bytea NOT NULL UNIQUE CHECK (length(public_key) = 32),
    software text NOT NULL,
    enrolled_at timestamptz NOT NULL,
    last_contact_at timestamptz NOT NULL,
    revoked_at timestamptz
);

-- A code is known by its hash only; what it was spent on answers a repeat of the same request.
CREATE TABLE enrolment_code (
    code_hash bytea PRIMARY KEY,
    store_id text NOT NULL,
    expires_at timestamptz NOT NULL,
    spent_key bytea,
    terminal_id text,
    epoch integer
);

-- The watermark of each terminal; the row is locked while a batch of that terminal is booked.
CREATE TABLE stream (
    terminal_id text PRIMARY KEY,
    epoch integer NOT NULL CHECK (epoch >= 1),
    durable_to bigint NOT NULL DEFAULT 0 CHECK (durable_to >= 0),
    head_digest bytea NOT NULL CHECK (length(head_digest) = 32)
);

-- Every entry that arrived, booked and parked alike: what makes "exactly once" hold, and what a day's proof is made of.
CREATE TABLE received (
    terminal_id text NOT NULL,
    epoch integer NOT NULL,
    seq bigint NOT NULL,
    digest bytea NOT NULL,
    business_date date NOT NULL,
    points_earned bigint NOT NULL,
    points_spent bigint NOT NULL,
    account_id text,
    parked boolean NOT NULL,
    PRIMARY KEY (terminal_id, epoch, seq)
);
CREATE INDEX received_day ON received (terminal_id, epoch, business_date);

-- What was not booked, as the exact bytes that came, for a person to look at.
CREATE TABLE parked (
    terminal_id text NOT NULL,
    epoch integer NOT NULL,
    seq bigint NOT NULL,
    code text NOT NULL,
    text text NOT NULL,
    account_id text,
    raw bytea NOT NULL,
    parked_at timestamptz NOT NULL DEFAULT now(),
    resolved_at timestamptz,
    PRIMARY KEY (terminal_id, epoch, seq)
);
CREATE INDEX parked_open ON parked (parked_at) WHERE resolved_at IS NULL;

-- Batches that contradict what is already here (a cloned or restored till), whole; the same batch again only counts up.
CREATE TABLE evidence (
    terminal_id text NOT NULL,
    body_hash bytea NOT NULL,
    reason text NOT NULL,
    body bytea NOT NULL,
    first_at timestamptz NOT NULL DEFAULT now(),
    last_at timestamptz NOT NULL DEFAULT now(),
    times bigint NOT NULL DEFAULT 1,
    PRIMARY KEY (terminal_id, body_hash)
);

CREATE TABLE account (
    account_id text PRIMARY KEY,
    first_name text,
    tier text NOT NULL
);

CREATE TABLE card (
    token text PRIMARY KEY,
    account_id text NOT NULL,
    blocked boolean NOT NULL DEFAULT false
);
CREATE INDEX card_account ON card (account_id);

-- Bookings. Those of head office itself (an opening balance) have no terminal and no bytes.
CREATE TABLE ledger (
    account_id text NOT NULL,
    entry_id uuid NOT NULL,
    kind text NOT NULL,
    terminal_id text,
    epoch integer,
    seq bigint,
    digest bytea,
    raw bytea,
    card text,
    business_date date NOT NULL,
    points bigint NOT NULL,
    points_earned bigint NOT NULL,
    points_spent bigint NOT NULL,
    programme_version integer,
    reverses uuid,
    booked_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (account_id, entry_id),
    CHECK (kind = 'opening' OR (terminal_id IS NOT NULL AND epoch IS NOT NULL AND seq IS NOT NULL AND raw IS NOT NULL))
);
CREATE UNIQUE INDEX ledger_void_once ON ledger (account_id, reverses) WHERE reverses IS NOT NULL;

CREATE TABLE balance (
    account_id text PRIMARY KEY,
    points bigint NOT NULL
);

CREATE TABLE programme (
    version integer PRIMARY KEY,
    programme_id text NOT NULL,
    document jsonb NOT NULL,
    published_at timestamptz NOT NULL DEFAULT now()
);

-- What changed, in an order that is safe to read while others write: by the number of the writing transaction, of which
-- readers see only those below the oldest still open. Only the name of what changed; readers join the state of now.
CREATE TABLE feed (
    tx bigint NOT NULL DEFAULT pg_current_xact_id()::text::bigint,
    position bigint GENERATED ALWAYS AS IDENTITY,
    subject text NOT NULL CHECK (subject IN ('account', 'card', 'programme')),
    key text NOT NULL,
    PRIMARY KEY (tx, position)
);
