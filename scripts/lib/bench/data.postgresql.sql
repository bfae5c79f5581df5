-- About 1.1 GB of dump: wide text, JSON, numerics, unicode. Every value follows from its row's
-- number, so two machines dump the same bytes.

-- A number below `bound` that looks random and follows from `n` and `salt`.
CREATE FUNCTION pick(n bigint, salt bigint, bound bigint) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT (hashint8extended(n, salt) & 4294967295) * bound >> 32
$$;

-- Twelve thousand words of one to four syllables, some of them beyond ASCII.
CREATE TEMPORARY TABLE words AS
SELECT n AS id, string_agg(
    (ARRAY['ba','con','de','er','fi','gra','ho','in','ja','ku','lo','men','ni','or','pra','qui','ra','sten','ti','un',
        've','wa','xi','ya','zo','al','bre','cu','do','est','fer','gle','han','ing','kel','lan','mo','nar','os','pe',
        'rin','sa','tor','ul','vin','é','ñu','ß','ø','ла','го','μα','水','ق','ção','ść'])[pick(n, syllable, 56) + 1],
    '' ORDER BY syllable) AS word
FROM generate_series(0, 11999) AS n, generate_series(1, 4) AS syllable
WHERE syllable <= 1 + pick(n, 9, 4)
GROUP BY n;
CREATE UNIQUE INDEX ON words (id);

-- Phrases of 16 words, common words more often. More of them than a compressor's window holds.
CREATE TEMPORARY TABLE phrases AS
SELECT n AS id, string_agg(word, ' ' ORDER BY place) AS phrase
FROM generate_series(0, 131071) AS n
CROSS JOIN generate_series(1, 16) AS place
JOIN words ON words.id = pick(n, place * 7 + 1, 12000) * pick(n, place * 13 + 5, 12000) / 12000
GROUP BY n;
CREATE UNIQUE INDEX ON phrases (id);
ANALYZE words, phrases;

-- Text as applications store it: a sentence of its own among boilerplate.
CREATE TABLE documents (
    id bigint PRIMARY KEY,
    title text NOT NULL,
    body text NOT NULL,
    author text,
    published timestamptz NOT NULL
);
INSERT INTO documents
SELECT n, initcap(left(a.phrase, 40)), concat_ws(E'.\n', left(a.phrase, 60), b.phrase, c.phrase, d.phrase, e.phrase, f.phrase, g.phrase, h.phrase),
    CASE WHEN n % 7 <> 0 THEN left(h.phrase, 24) END,
    timestamptz '2020-01-01 00:00:00+00' + n * interval '11 minutes'
FROM generate_series(1, 600000) AS n
JOIN phrases AS a ON a.id = pick(n, 1, 131072)
JOIN phrases AS b ON b.id = pick(n, 2, 60)
JOIN phrases AS c ON c.id = pick(n, 3, 60)
JOIN phrases AS d ON d.id = pick(n, 4, 60)
JOIN phrases AS e ON e.id = pick(n, 5, 60)
JOIN phrases AS f ON f.id = pick(n, 6, 60)
JOIN phrases AS g ON g.id = pick(n, 7, 60)
JOIN phrases AS h ON h.id = pick(n, 8, 60)
ORDER BY n;

CREATE TABLE events (
    id bigint PRIMARY KEY,
    happened timestamptz NOT NULL,
    kind text NOT NULL,
    amount numeric(18, 4) NOT NULL,
    payload jsonb NOT NULL
);
INSERT INTO events
SELECT n, timestamptz '2023-01-01 00:00:00+00' + n * interval '7 seconds',
    (ARRAY['login', 'purchase', 'refund', 'übertragung', '閲覧'])[pick(n, 1, 5) + 1],
    pick(n, 2, 100000000) / 10000.0,
    jsonb_build_object('session', md5(n::text), 'user', pick(n, 3, 50000), 'ok', n % 17 <> 0,
        'note', left(a.phrase, 60), 'path', '/' || replace(left(b.phrase, 30), ' ', '/'),
        'scores', jsonb_build_array(pick(n, 4, 1000) / 7.0, pick(n, 5, 1000), NULL))
FROM generate_series(1, 1300000) AS n
JOIN phrases AS a ON a.id = pick(n, 6, 60)
JOIN phrases AS b ON b.id = pick(n, 7, 131072)
ORDER BY n;

CREATE TABLE measurements (
    sensor integer NOT NULL,
    taken timestamp NOT NULL,
    celsius double precision,
    pressure numeric(12, 5),
    counter bigint NOT NULL
);
INSERT INTO measurements
SELECT pick(n, 1, 500), timestamp '2024-01-01' + n * interval '3 seconds',
    CASE WHEN n % 50 <> 0 THEN 15 + pick(n, 2, 2000000) / 100000.0::double precision END,
    1000 + pick(n, 3, 5000000) / 100000.0, pick(n, 4, 2000000000)
FROM generate_series(1, 1800000) AS n
ORDER BY n;

CREATE INDEX documents_by_author ON documents (author);
CREATE INDEX events_by_time ON events (happened);
CREATE INDEX measurements_by_sensor ON measurements (sensor, taken);
DROP FUNCTION pick;
ANALYZE documents, events, measurements;
