-- What returns, coupons and counters need: which sale a return belongs to, which code was used, how far a member is.

ALTER TABLE ledger ADD COLUMN original uuid;
CREATE INDEX ledger_original ON ledger (account_id, original) WHERE original IS NOT NULL;

-- Stamp cards, challenges, badges and limits for each member: Σ of what booked entries counted.
CREATE TABLE counter (
    account_id text NOT NULL,
    name text NOT NULL,
    count bigint NOT NULL,
    PRIMARY KEY (account_id, name)
);

-- Single-use codes that were used, by the sale; a void frees them. Goes by the code: accounts do not own coupons.
CREATE TABLE coupon_use (
    code text PRIMARY KEY,
    account_id text NOT NULL,
    entry_id uuid NOT NULL
);
