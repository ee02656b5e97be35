CREATE TABLE shipments (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  store int NOT NULL,
  item int NOT NULL,
  quantity int NOT NULL
);

CREATE TABLE sales (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  store int NOT NULL,
  item int NOT NULL,
  quantity int NOT NULL
);
