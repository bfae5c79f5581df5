-- About 0.7 GB of dump: wide text, JSON, numerics, unicode. Every value follows from its row's
-- number, so two machines dump the same bytes.
SET NAMES utf8mb4;
SET time_zone = '+00:00';
SET SESSION group_concat_max_len = 65536;

-- A number below `bound` that looks random and follows from `n` and `salt`.
CREATE FUNCTION pick(n bigint, salt bigint, bound bigint) RETURNS bigint DETERMINISTIC NO SQL
RETURN (crc32(concat(n, ':', salt * 7919)) * bound) >> 32;

CREATE TEMPORARY TABLE words (id int PRIMARY KEY, word varchar(40)) CHARSET utf8mb4
SELECT n.seq AS id, group_concat(
    elt(pick(n.seq, syllable.seq, 56) + 1,
        'ba','con','de','er','fi','gra','ho','in','ja','ku','lo','men','ni','or','pra','qui','ra','sten','ti','un',
        've','wa','xi','ya','zo','al','bre','cu','do','est','fer','gle','han','ing','kel','lan','mo','nar','os','pe',
        'rin','sa','tor','ul','vin','é','ñu','ß','ø','ла','го','μα','水','ق','ção','ść')
    ORDER BY syllable.seq SEPARATOR '') AS word
FROM seq_0_to_11999 AS n JOIN seq_1_to_4 AS syllable
WHERE syllable.seq <= 1 + pick(n.seq, 9, 4)
GROUP BY n.seq;

CREATE TABLE phrases (id int PRIMARY KEY, phrase varchar(700)) CHARSET utf8mb4
SELECT n.seq AS id, group_concat(word ORDER BY place.seq SEPARATOR ' ') AS phrase
FROM seq_0_to_131071 AS n JOIN seq_1_to_16 AS place
JOIN words ON words.id = pick(n.seq, place.seq * 7 + 1, 12000) * pick(n.seq, place.seq * 13 + 5, 12000) DIV 12000
GROUP BY n.seq;

-- Text as applications store it: a sentence of its own among boilerplate.
CREATE TABLE documents (
    id bigint PRIMARY KEY,
    title varchar(700) NOT NULL,
    body mediumtext NOT NULL,
    author varchar(100),
    published datetime NOT NULL
) ENGINE = InnoDB CHARSET = utf8mb4;
INSERT INTO documents
SELECT n.seq, upper(left(a.phrase, 40)), concat_ws('.\n', left(a.phrase, 60), b.phrase, c.phrase, d.phrase, e.phrase, f.phrase, g.phrase, h.phrase),
    IF(n.seq % 7 <> 0, left(h.phrase, 24), NULL), timestamp '2020-01-01 00:00:00' + INTERVAL n.seq * 11 MINUTE
FROM seq_1_to_420000 AS n
STRAIGHT_JOIN phrases AS a ON a.id = pick(n.seq, 1, 131072)
STRAIGHT_JOIN phrases AS b ON b.id = pick(n.seq, 2, 60)
STRAIGHT_JOIN phrases AS c ON c.id = pick(n.seq, 3, 60)
STRAIGHT_JOIN phrases AS d ON d.id = pick(n.seq, 4, 60)
STRAIGHT_JOIN phrases AS e ON e.id = pick(n.seq, 5, 60)
STRAIGHT_JOIN phrases AS f ON f.id = pick(n.seq, 6, 60)
STRAIGHT_JOIN phrases AS g ON g.id = pick(n.seq, 7, 60)
STRAIGHT_JOIN phrases AS h ON h.id = pick(n.seq, 8, 60);

CREATE TABLE events (
    id bigint PRIMARY KEY,
    happened datetime NOT NULL,
    kind varchar(40) NOT NULL,
    amount decimal(18, 4) NOT NULL,
    payload json NOT NULL
) ENGINE = InnoDB CHARSET = utf8mb4;
INSERT INTO events
SELECT n.seq, timestamp '2023-01-01 00:00:00' + INTERVAL n.seq * 7 SECOND,
    elt(pick(n.seq, 1, 5) + 1, 'login', 'purchase', 'refund', 'übertragung', '閲覧'),
    pick(n.seq, 2, 100000000) / 10000,
    json_object('session', md5(n.seq), 'user', pick(n.seq, 3, 50000), 'ok', n.seq % 17 <> 0,
        'note', left(a.phrase, 60), 'path', concat('/', replace(left(b.phrase, 30), ' ', '/')),
        'scores', json_array(pick(n.seq, 4, 1000) / 7, pick(n.seq, 5, 1000), NULL))
FROM seq_1_to_750000 AS n
STRAIGHT_JOIN phrases AS a ON a.id = pick(n.seq, 6, 60)
STRAIGHT_JOIN phrases AS b ON b.id = pick(n.seq, 7, 131072);

CREATE TABLE measurements (
    id bigint PRIMARY KEY,
    sensor int NOT NULL,
    taken datetime NOT NULL,
    celsius double,
    pressure decimal(12, 5),
    counter bigint NOT NULL
) ENGINE = InnoDB CHARSET = utf8mb4;
INSERT INTO measurements
SELECT seq, pick(seq, 1, 500), timestamp '2024-01-01 00:00:00' + INTERVAL seq * 3 SECOND,
    IF(seq % 50 <> 0, 15 + pick(seq, 2, 2000000) / 1e5, NULL), 1000 + pick(seq, 3, 5000000) / 100000, pick(seq, 4, 2000000000)
FROM seq_1_to_1000000;

DROP TABLE phrases;
DROP FUNCTION pick;
ALTER TABLE documents ADD KEY by_author (author);
ALTER TABLE events ADD KEY by_time (happened);
ALTER TABLE measurements ADD KEY by_sensor (sensor, taken);
