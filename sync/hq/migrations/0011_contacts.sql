-- Phone and e-mail as hashes keyed with the chain's card key (loyalty/contacts.py): tills find members by them. Neither
-- the number nor the address is stored.
ALTER TABLE account ADD COLUMN phone_hash text CHECK (phone_hash ~ '^[0-9a-f]{32}$');
ALTER TABLE account ADD COLUMN email_hash text CHECK (email_hash ~ '^[0-9a-f]{32}$');
