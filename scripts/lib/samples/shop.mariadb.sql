-- A small shop: the sample database that scripts/run backs up and restores.
-- Every value is computed, so two runs make the same rows.
SET NAMES utf8mb4;
SET time_zone = '+00:00';

CREATE TABLE customers (
    id bigint unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY,
    email varchar(190) NOT NULL UNIQUE,
    full_name varchar(190) NOT NULL,
    city varchar(80) NOT NULL,
    preferences json NOT NULL,
    created_at timestamp(3) NOT NULL DEFAULT '2024-01-01 08:00:00',
    KEY by_name (full_name)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_ci
    COMMENT = 'People who buy — “Kundinnen & Kunden”, 顧客';

CREATE TABLE products (
    sku char(9) NOT NULL PRIMARY KEY,
    title varchar(120) NOT NULL,
    description mediumtext,
    unit_price decimal(10, 2) NOT NULL CHECK (unit_price >= 0),
    weight_kg double,
    tags set ('organic', 'fair', 'fragile') NOT NULL DEFAULT '',
    thumbnail varbinary(64)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;

CREATE TABLE orders (
    id bigint unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY,
    customer_id bigint unsigned NOT NULL,
    state enum ('cart', 'paid', 'shipped', 'returned') NOT NULL,
    placed_at datetime(6) NOT NULL,
    ship_by date,
    note text,
    KEY by_customer (customer_id, placed_at),
    CONSTRAINT order_customer FOREIGN KEY (customer_id) REFERENCES customers (id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;

CREATE TABLE order_items (
    order_id bigint unsigned NOT NULL,
    line smallint NOT NULL,
    sku char(9) NOT NULL,
    quantity int NOT NULL,
    unit_price decimal(10, 2) NOT NULL,
    total decimal(12, 2) GENERATED ALWAYS AS (quantity * unit_price) STORED,
    is_gift bit(1) NOT NULL DEFAULT b'0',
    PRIMARY KEY (order_id, line),
    CONSTRAINT item_order FOREIGN KEY (order_id) REFERENCES orders (id) ON DELETE CASCADE,
    CONSTRAINT item_product FOREIGN KEY (sku) REFERENCES products (sku)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;

CREATE TABLE stock_movements (
    id char(32) NOT NULL,
    sku char(9) NOT NULL,
    moved_on date NOT NULL,
    `change` int NOT NULL,
    PRIMARY KEY (id, moved_on)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4
PARTITION BY RANGE (year(moved_on)) (
    PARTITION until_2025 VALUES LESS THAN (2026),
    PARTITION later VALUES LESS THAN MAXVALUE
);

-- A name that needs quoting, as old databases have them.
CREATE TABLE `legacy ``notes`` – übernommen` (
    `Nr.` int PRIMARY KEY,
    `text mit ' und "` text
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;

INSERT INTO customers (email, full_name, city, preferences, created_at)
SELECT concat('customer', seq, '@example.org'),
    concat(elt(seq % 10 + 1, 'Ada', 'Zoë', 'José', '美咲', 'Владимир', 'Ελένη', 'أمينة', 'Nguyễn', 'Łukasz', 'Åsa'),
        ' ', elt(seq % 7 + 1, 'García', 'O''Neill', '山田', 'Müller', 'Søndergaard', 'Иванова', 'de la Cruz')),
    elt(seq % 6 + 1, 'Buenos Aires', 'Reykjavík', '東京', 'Αθήνα', 'São Paulo', 'Köln'),
    json_object('newsletter', seq % 3 = 0, 'language', elt(seq % 4 + 1, 'es', 'de', 'ja', 'el'), 'emoji', '🛒'),
    timestamp '2024-01-01 08:00:00' + INTERVAL seq * 97 MINUTE
FROM seq_1_to_8000;

INSERT INTO products
SELECT concat('SKU-', lpad(seq, 5, '0')),
    concat(elt(seq % 5 + 1, 'Tea', 'Kaffee', 'Café au lait', '緑茶', 'Yerba mate'), ' No. ', seq),
    IF(seq % 4 <> 0, repeat(concat('Hand-picked; line', char(10), 'tab', char(9), 'backslash \\ quote '' — '), 1 + seq % 6), NULL),
    (seq * 7919 % 10000) / 100 + 0.99,
    IF(seq % 10 = 0, NULL, seq / 7),
    elt(seq % 4 + 1, '', 'organic', 'organic,fair', 'fragile'),
    IF(seq % 3 = 0, unhex(concat(md5(seq), '00FF275C')), NULL)
FROM seq_1_to_1200;

INSERT INTO orders (customer_id, state, placed_at, ship_by, note)
SELECT seq * 31 % 8000 + 1, seq % 4 + 1,
    timestamp '2025-01-01 00:00:00.000123' + INTERVAL seq * 23 MINUTE,
    IF(seq % 6 <> 0, date '2025-01-03' + INTERVAL seq DIV 60 DAY, NULL),
    CASE seq % 9 WHEN 0 THEN '' WHEN 1 THEN '\\N' WHEN 2 THEN 'Leave it with the neighbour 👩‍👩‍👧' END
FROM seq_1_to_20000;

INSERT INTO order_items (order_id, line, sku, quantity, unit_price, is_gift)
SELECT o.id, line.seq, p.sku, 1 + (o.id + line.seq) % 5, p.unit_price, o.id % 11 = 0
FROM orders AS o
JOIN seq_1_to_3 AS line ON line.seq <= 1 + o.id % 3
JOIN products AS p ON p.sku = concat('SKU-', lpad(1 + (o.id * 17 + line.seq * 101) % 1200, 5, '0'));

INSERT INTO stock_movements
SELECT md5(concat('movement', seq)), concat('SKU-', lpad(1 + seq % 1200, 5, '0')),
    date '2025-01-01' + INTERVAL seq DIV 30 DAY, CAST(seq % 21 AS signed) - 10
FROM seq_1_to_15000;

INSERT INTO `legacy ``notes`` – übernommen`
SELECT seq, IF(seq % 2 = 0, concat('DELIMITER ;; \\! -- ', seq), NULL) FROM seq_1_to_50;

CREATE SEQUENCE invoice_number START WITH 100000 INCREMENT BY 7 NOCACHE;

CREATE VIEW revenue_by_city AS
SELECT c.city, count(DISTINCT o.id) AS orders, sum(i.total) AS revenue
FROM customers AS c JOIN orders AS o ON o.customer_id = c.id JOIN order_items AS i ON i.order_id = o.id
WHERE o.state <> 'cart' GROUP BY c.city;

DELIMITER //
CREATE FUNCTION order_total(wanted bigint unsigned) RETURNS decimal(12, 2) READS SQL DATA
BEGIN
    DECLARE answer decimal(12, 2);
    SELECT coalesce(sum(total), 0) INTO answer FROM order_items WHERE order_id = wanted;
    RETURN answer;
END //

CREATE PROCEDURE close_carts(IN before_day date)
BEGIN
    UPDATE orders SET state = 'returned' WHERE state = 'cart' AND placed_at < before_day;
END //

CREATE TRIGGER check_note BEFORE INSERT ON orders FOR EACH ROW
BEGIN
    IF NEW.note = 'forbidden' THEN
        SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'a note may not say "forbidden"';
    END IF;
END //
DELIMITER ;

CREATE EVENT close_old_carts ON SCHEDULE EVERY 1 DAY STARTS '2026-01-01 03:00:00' DISABLE
    DO CALL close_carts(current_date - INTERVAL 30 DAY);
