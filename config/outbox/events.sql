-- An event by table, and one by a logical message, which needs no table at all.
BEGIN;
INSERT INTO outbox (aggregatetype, aggregateid, type, payload)
VALUES ('order', '11', 'OrderPlaced', '{"total": 7.25}');
DELETE FROM outbox;
SELECT pg_logical_emit_message(true, 'outbox', json_build_object(
  'aggregatetype', 'order',
  'aggregateid', '11',
  'type', 'OrderPaid',
  'payload', json_build_object('by', 'card')
)::text);
COMMIT;
