-- What the night's work needs: bookings in the order in which they were made, what was paid, and since when a tier.

-- Within an account this is the order of commits: its balance row is locked before its bookings are written.
ALTER TABLE ledger ADD COLUMN position bigint GENERATED ALWAYS AS IDENTITY;
ALTER TABLE ledger ADD COLUMN paid_minor bigint NOT NULL DEFAULT 0;
ALTER TABLE ledger DROP CONSTRAINT ledger_check;
ALTER TABLE ledger ADD CONSTRAINT ledger_check CHECK (
    kind IN ('opening', 'expiry')
    OR (terminal_id IS NOT NULL AND epoch IS NOT NULL AND seq IS NOT NULL AND raw IS NOT NULL)
);

-- The business date from which the tier's present period counts.
ALTER TABLE account ADD COLUMN tier_since date NOT NULL DEFAULT current_date;
