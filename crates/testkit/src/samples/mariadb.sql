-- A shop with one of everything that a backup must carry.
SET NAMES utf8mb4;
SET sql_mode = 'STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION,ERROR_FOR_DIVISION_BY_ZERO';
SET time_zone = '+01:00';

CREATE TABLE customers (
    id bigint unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY,
    name varchar(100) NOT NULL COMMENT 'as they write it: ''ünï''',
    mail varchar(200) CHARACTER SET latin1 COLLATE latin1_general_cs,
    shout varchar(100) GENERATED ALWAYS AS (upper(name)) VIRTUAL,
    stored_length int AS (char_length(name)) PERSISTENT,
    photo blob,
    raw binary(8),
    extra json,
    flags bit(10),
    state enum('new', 'paid', 'Rückgabe') DEFAULT 'new',
    tags set('a', 'b', 'c'),
    balance decimal(38, 10),
    ratio double,
    half float,
    tiny tinyint(1),
    seen timestamp(6) NULL DEFAULT NULL,
    born date,
    at datetime(3),
    span time(2),
    y year,
    place point,
    uid uuid,
    net inet6,
    secret int INVISIBLE DEFAULT 7,
    UNIQUE KEY by_mail (mail),
    KEY by_name (name(10) DESC, born),
    FULLTEXT KEY words (name),
    CONSTRAINT name_is_there CHECK (char_length(name) > 0)
) ENGINE=InnoDB AUTO_INCREMENT=10 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci
  COMMENT='line one\nline two';

CREATE TABLE orders (
    id int NOT NULL,
    customer bigint unsigned,
    total decimal(12, 2),
    year int NOT NULL,
    PRIMARY KEY (id, year)
) ENGINE=InnoDB PARTITION BY RANGE (year) (
    PARTITION old VALUES LESS THAN (2025), PARTITION rest VALUES LESS THAN MAXVALUE);

CREATE TABLE items (
    id int PRIMARY KEY, customer bigint unsigned NOT NULL, note longtext,
    CONSTRAINT of_customer FOREIGN KEY (customer) REFERENCES customers (id) ON DELETE CASCADE);

CREATE TABLE `from; DROP TABLE x --` (
    `select` int, `a b` text, `back\slash` text, `quo``te` text, `"double"` text, `new
line` text);
CREATE TABLE log (line text);
CREATE TABLE nothing (id int);

CREATE SEQUENCE receipts START WITH 1000 INCREMENT BY 7 MAXVALUE 99999 CYCLE;
SELECT NEXTVAL(receipts), NEXTVAL(receipts);

INSERT INTO customers
    (name, mail, photo, raw, extra, flags, state, tags, balance, ratio, half, tiny, seen, born, at,
     span, y, place, uid, net)
SELECT concat('Zoë "', seq, '" O''Neil \\ 🐬 \t tab\r\nline'),
       convert(concat('user', seq, '@exämple.org') USING latin1),
       concat(unhex(md5(seq)), x'00ff0a0d5c27221a'),
       unhex(left(md5(seq), 16)),
       json_object('n', seq, 'text', 'line\nbreak', 'list', json_array(1, NULL, true)),
       seq, 1 + seq % 3, 'a,c',
       seq * 123456789.0123456789 - 5000000000,
       seq / 3, seq / 7, seq % 2,
       '2026-03-29 01:30:00.123456' + INTERVAL seq MINUTE,
       '1000-01-01' + INTERVAL seq DAY, '2026-02-28 23:59:59.999',
       '-120:30:15.25', 1990 + seq % 30, point(seq, -seq / 2),
       concat('123e4567-e89b-12d3-a456-', lpad(hex(seq), 12, '0')), concat('2001:db8::', hex(seq))
FROM seq_1_to_500;
INSERT INTO customers (name) VALUES ('only a name');
INSERT INTO orders SELECT seq, 10 + seq % 500, seq * 1.01, 2020 + seq % 8 FROM seq_1_to_2000;
INSERT INTO items SELECT seq, 10 + seq, repeat('long text 🐬 ', 200) FROM seq_1_to_100;
INSERT INTO `from; DROP TABLE x --`
    VALUES (1, '\\! touch /tmp/x', '\\', '`', '"', 'DELIMITER ;;\n-- \n/*! x */'),
           (1, '\\! touch /tmp/x', '\\', '`', '"', 'DELIMITER ;;\n-- \n/*! x */');

CREATE VIEW open_orders AS
    SELECT o.id, o.total, c.name FROM orders o JOIN customers c ON c.id = o.customer;
CREATE ALGORITHM=MERGE SQL SECURITY INVOKER VIEW view_of_view AS
    SELECT name, count(*) AS n FROM open_orders GROUP BY name;

DELIMITER ;;
CREATE PROCEDURE tidy(IN days int, OUT gone int)
    COMMENT 'removes old lines'
BEGIN
    DECLARE text varchar(100) DEFAULT 'a;b '';;'' \\! 🐬';
    DELETE FROM log WHERE line = text;
    SET gone = row_count();
END;;
CREATE FUNCTION plus_one(n int) RETURNS int DETERMINISTIC RETURN n + 1;;
CREATE TRIGGER note_order AFTER INSERT ON orders FOR EACH ROW
BEGIN
    INSERT INTO log VALUES (concat('order ', NEW.id));
END;;
CREATE TRIGGER note_order_too AFTER INSERT ON orders FOR EACH ROW
    INSERT INTO log VALUES (concat('again ', NEW.id));;
CREATE EVENT nightly ON SCHEDULE EVERY 1 DAY STARTS '2030-01-01 02:00:00' COMMENT 'at night'
    DO DELETE FROM log;;
DELIMITER ;
INSERT INTO orders VALUES (3000, 11, 1, 2026);
