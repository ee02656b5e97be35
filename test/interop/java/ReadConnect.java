import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.connect.json.JsonConverter;

/**
 * Reads the first records of a topic with Kafka Connect's own converter for JSON with schemas, and
 * prints what it has understood, a line each: {@code ReadConnect BROKERS TOPIC COUNT}.
 */
public final class ReadConnect {
  public static void main(String[] args) {
    JsonConverter keys = new JsonConverter();
    JsonConverter values = new JsonConverter();
    keys.configure(Map.of("schemas.enable", "true"), true);
    values.configure(Map.of("schemas.enable", "true"), false);
    Map<String, Object> options =
        Map.of(
            "bootstrap.servers", args[0],
            "group.id", "connect-" + args[1],
            "auto.offset.reset", "earliest",
            "isolation.level", "read_committed");
    try (var consumer =
        new KafkaConsumer<>(options, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
      consumer.subscribe(List.of(args[1]));
      int left = Integer.parseInt(args[2]);
      while (left > 0) {
        for (var record : consumer.poll(Duration.ofSeconds(1))) {
          Object key = keys.toConnectData(args[1], record.key()).value();
          Object value = values.toConnectData(args[1], record.value()).value();
          System.out.println(key + " " + value);
          left--;
        }
      }
    }
  }
}
