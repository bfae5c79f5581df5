-- A shop with one of everything that a backup must carry.
CREATE EXTENSION hstore;
CREATE EXTENSION pg_trgm;
CREATE SCHEMA shop;
CREATE SCHEMA "odd ""schema""";

CREATE TYPE shop.status AS ENUM ('new', 'paid', 'sent', 'Rückgabe');
CREATE TYPE shop.address AS (street text, city text);
CREATE DOMAIN shop.email AS text CHECK (VALUE ~ '@') NOT NULL;
CREATE TYPE shop.price_range AS RANGE (subtype = numeric);

CREATE TABLE shop.customers (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL,
    mail shop.email,
    home shop.address,
    tags text[],
    extra jsonb DEFAULT '{}',
    labels hstore,
    photo bytea,
    balance numeric(38, 10),
    ratio double precision,
    half real,
    seen timestamptz,
    born date,
    span interval,
    net inet,
    uid uuid,
    shout text GENERATED ALWAYS AS (upper(name)) STORED,
    CONSTRAINT name_is_there CHECK (length(name) > 0));
CREATE INDEX customers_name_trgm ON shop.customers USING gin (name gin_trgm_ops);
CREATE UNIQUE INDEX customers_lower_mail ON shop.customers (lower(mail)) WHERE mail <> 'a@b';
COMMENT ON TABLE shop.customers IS E'Customers:\n''quoted'' — ünïcödé 🐘';
COMMENT ON COLUMN shop.customers.name IS 'as they write it';

CREATE TABLE shop.orders (
    id int, customer bigint REFERENCES shop.customers ON DELETE CASCADE DEFERRABLE,
    state shop.status NOT NULL DEFAULT 'new', at timestamptz NOT NULL, total numeric,
    PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE shop.orders_2025 PARTITION OF shop.orders
    FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE shop.orders_rest PARTITION OF shop.orders DEFAULT;
CREATE INDEX orders_state ON shop.orders (state);

CREATE TABLE shop.log (line text) WITH (fillfactor = 70);
CREATE TABLE shop.special_log (level int) INHERITS (shop.log);
CREATE UNLOGGED TABLE shop.cache (key text, value json);
CREATE TABLE shop.nothing ();
CREATE TABLE "odd ""schema"""."from; DROP TABLE x --" (
    "select" int, "a b" text, "ta	b" text, "new
line" text, "back\slash" text, "quo""te" text, "🐘" text);

CREATE SEQUENCE shop.receipts START 1000 INCREMENT 7 MAXVALUE 99999 CYCLE;
SELECT nextval('shop.receipts'), nextval('shop.receipts');
CREATE SEQUENCE shop.untouched;

CREATE FUNCTION shop.count_lines() RETURNS trigger LANGUAGE plpgsql AS $body$
BEGIN
    INSERT INTO shop.log VALUES ('$$ \. \! ' || TG_OP || ' ' || NEW.id);
    RETURN NEW;
END
$body$;
CREATE FUNCTION shop.plus_one(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1 + 1';
CREATE PROCEDURE shop.tidy() LANGUAGE sql AS 'DELETE FROM shop.cache';
CREATE AGGREGATE shop.total(int) (sfunc = int4pl, stype = int, initcond = '0');
CREATE TRIGGER note_order AFTER INSERT ON shop.orders
    FOR EACH ROW EXECUTE FUNCTION shop.count_lines();

CREATE VIEW shop.open_orders WITH (security_barrier) AS
    SELECT o.*, c.name FROM shop.orders o JOIN shop.customers c ON c.id = o.customer
    WHERE o.state <> 'sent';
CREATE RULE no_delete AS ON DELETE TO shop.log DO INSTEAD NOTHING;
ALTER TABLE shop.customers ENABLE ROW LEVEL SECURITY;
CREATE POLICY everyone ON shop.customers FOR SELECT USING (true);
CREATE STATISTICS shop.together (dependencies) ON name, born FROM shop.customers;

INSERT INTO shop.customers
    (name, mail, home, tags, extra, labels, photo, balance, ratio, half, seen, born, span, net, uid)
SELECT E'Zoë "' || i || E'" O''Neil \\ 🐘 \t tab',
       'user' || i || '@example.org',
       ROW('Main St ' || i, NULL)::shop.address,
       ARRAY['a,b', NULL, E'c"d', 'NULL', i::text],
       jsonb_build_object('n', i, 'text', E'line\nbreak', 'list', jsonb_build_array(1, null, true)),
       hstore(ARRAY['k' || i, NULL, 'x', E'y=>"z"']),
       decode(md5(i::text), 'hex') || '\x00ff0a0d5c'::bytea,
       i * 123456789.0123456789 - 5e20,
       CASE i % 7 WHEN 0 THEN 'NaN'::float8 WHEN 1 THEN '-Infinity' ELSE i / 3.0 END,
       i / 7.0,
       '2026-03-29 01:59:59.123456+01'::timestamptz + i * interval '1 hour',
       '0044-03-15 BC'::date + i,
       make_interval(months => i % 40, secs => i * 0.001),
       ('10.0.' || (i % 256) || '.0/24')::inet,
       md5(i::text)::uuid
FROM generate_series(1, 500) AS i;
INSERT INTO shop.customers (name, mail) VALUES ('only a name', 'nobody@example.org');

INSERT INTO shop.orders
SELECT i, 1 + i % 500, (ARRAY['new', 'paid', 'sent', 'Rückgabe'])[1 + i % 4]::shop.status,
       '2024-11-01'::timestamptz + i * interval '5 hours', i * 1.01
FROM generate_series(1, 2000) AS i;
INSERT INTO shop.special_log VALUES (E'a line with \\. and \\N and \r', 3);
INSERT INTO shop.cache VALUES ('k', '{"a" :  1, "a":2}'), ('k', '{"a" :  1, "a":2}');
INSERT INTO shop.nothing DEFAULT VALUES;
INSERT INTO "odd ""schema"""."from; DROP TABLE x --"
    VALUES (1, '\.', E'\n\\.\n', E'COPY x FROM stdin;\n', '\! touch /tmp/x', '--', NULL);

CREATE MATERIALIZED VIEW shop.totals AS
    SELECT state, count(*) AS orders, sum(total) AS money FROM shop.orders GROUP BY state;
CREATE MATERIALIZED VIEW shop.unfilled AS SELECT 1 AS one WITH NO DATA;
CREATE UNIQUE INDEX totals_state ON shop.totals (state);

SELECT lo_from_bytea(4242, convert_to(repeat('large object ', 100000), 'UTF8'));
COMMENT ON LARGE OBJECT 4242 IS 'a film';
CREATE PUBLICATION changes FOR TABLE shop.customers;
