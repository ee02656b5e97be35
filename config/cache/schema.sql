CREATE TABLE customers (
  id int PRIMARY KEY,
  name text NOT NULL
);

CREATE TABLE orders (
  id int PRIMARY KEY,
  customer_id int NOT NULL REFERENCES customers,
  status text NOT NULL
);

CREATE INDEX ON orders (customer_id);

INSERT INTO customers SELECT id, 'customer ' || id FROM generate_series(1, 10) AS id;
INSERT INTO orders SELECT id, 1 + id % 10, 'new' FROM generate_series(1, 50) AS id;
