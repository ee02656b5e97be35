import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.util.Properties;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.kstream.KTable;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.state.KeyValueStore;

/**
 * Joins two topics of Debezium's changes by their keys: {@code Join BROKERS LEFT RIGHT OUT FOLDER}.
 * Says how its topology looks, and "failed" if a stream thread ends. Ends with its standard input.
 */
public final class Join {
  private static final ObjectMapper json = new ObjectMapper();

  public static void main(String[] args) throws Exception {
    StreamsBuilder builder = new StreamsBuilder();
    KTable<String, String> left = rows(builder, args[1]);
    KTable<String, String> right = rows(builder, args[2]);
    left.join(right, (a, b) -> "[" + a + "," + b + "]").toStream().to(args[3]);
    var topology = builder.build();
    System.out.println(topology.describe());
    KafkaStreams streams = new KafkaStreams(topology, properties(args));
    streams.setUncaughtExceptionHandler(
        error -> {
          System.out.println("failed: " + error);
          return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
        });
    streams.start();
    while (System.in.read() >= 0) {}
    streams.close();
  }

  /** The row after each change; a delete ends it, as its tombstone does. */
  private static KTable<String, String> rows(StreamsBuilder builder, String topic) {
    return builder.<String, String>stream(topic)
        .mapValues(Join::after)
        .toTable(
            Materialized.<String, String, KeyValueStore<Bytes, byte[]>>with(
                    Serdes.String(), Serdes.String())
                .withStoreType(Materialized.StoreType.IN_MEMORY));
  }

  private static String after(String change) {
    if (change == null) return null;
    try {
      JsonNode after = json.readTree(change).get("after");
      return after == null || after.isNull() ? null : after.toString();
    } catch (java.io.IOException error) {
      throw new java.io.UncheckedIOException(error);
    }
  }

  private static Properties properties(String[] args) {
    Properties properties = new Properties();
    properties.put(StreamsConfig.APPLICATION_ID_CONFIG, args[3]);
    properties.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, args[0]);
    properties.put(StreamsConfig.STATE_DIR_CONFIG, args[4]);
    properties.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 100);
    properties.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, 0);
    properties.put(StreamsConfig.DEFAULT_KEY_SERDE_CLASS_CONFIG, Serdes.String().getClass());
    properties.put(StreamsConfig.DEFAULT_VALUE_SERDE_CLASS_CONFIG, Serdes.String().getClass());
    properties.put(StreamsConfig.consumerPrefix("isolation.level"), "read_committed");
    properties.put(StreamsConfig.consumerPrefix("auto.offset.reset"), "earliest");
    return properties;
  }
}
