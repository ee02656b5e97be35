import java.lang.reflect.Method;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import org.elasticsearch.Build;
import org.elasticsearch.client.internal.node.NodeClient;
import org.elasticsearch.cluster.service.ClusterService;
import org.elasticsearch.common.logging.LogConfigurator;
import org.elasticsearch.common.settings.Settings;
import org.elasticsearch.env.Environment;
import org.elasticsearch.node.InternalSettingsPreparer;
import org.elasticsearch.node.Node;
import org.elasticsearch.plugins.PluginBundle;
import org.elasticsearch.plugins.PluginsLoader;
import org.elasticsearch.rest.BaseRestHandler;
import org.elasticsearch.rest.RestController;
import org.elasticsearch.rest.RestRequest;
import org.elasticsearch.rest.RestResponse;
import org.elasticsearch.rest.RestStatus;

/**
 * One real Elasticsearch node (8.19, 9.x) from published jars.
 * Its argument is the home folder, with config/, data/, logs/, modules/ and plugins/.
 */
public class EsMain {
    public static void main(String[] arguments) throws Exception {
        Path home = Path.of(arguments[0]).toAbsolutePath();
        LogConfigurator.registerErrorListener();
        Environment environment = InternalSettingsPreparer.prepareEnvironment(
            Settings.EMPTY,
            Map.of("path.home", home.toString()),
            home.resolve("config"),
            () -> "millrace-test");
        LogConfigurator.configureESLogging();
        LogConfigurator.configure(environment, true);
        Node node = new Node(environment, PluginsLoader.createPluginsLoader(
            bundles("loadModulesBundles", home.resolve("modules")),
            bundles("loadPluginsBundles", home.resolve("plugins")),
            Map.of(),
            false));
        Runtime.getRuntime().addShutdownHook(new Thread(() -> close(node)));
        node.injector().getInstance(RestController.class).registerHandler(new Root(node));
        node.start();
        new CountDownLatch(1).await();
    }

    static void close(Node node) {
        try {
            node.close();
        } catch (Exception e) {
            e.printStackTrace();
        }
    }

    /** 8.19 has (Path), 9.5 has (Path, boolean). */
    @SuppressWarnings("unchecked")
    static Set<PluginBundle> bundles(String name, Path folder) throws Exception {
        for (Method method : PluginsLoader.class.getMethods()) {
            if (!method.getName().equals(name)) continue;
            Object found = method.getParameterCount() == 1
                ? method.invoke(null, folder)
                : method.invoke(null, folder, false);
            return (Set<PluginBundle>) found;
        }
        throw new NoSuchMethodException(name);
    }

    /** The module that answers GET / is not published; this answers with the same fields. */
    static class Root extends BaseRestHandler {
        private final Node node;

        Root(Node node) {
            this.node = node;
        }

        @Override
        public String getName() {
            return "main_action";
        }

        @Override
        public List<Route> routes() {
            return List.of(
                new Route(RestRequest.Method.GET, "/"),
                new Route(RestRequest.Method.HEAD, "/"));
        }

        @Override
        protected RestChannelConsumer prepareRequest(RestRequest request, NodeClient client) {
            ClusterService cluster = node.injector().getInstance(ClusterService.class);
            Build build = Build.current();
            String body = """
                {
                  "name": "%s",
                  "cluster_name": "%s",
                  "cluster_uuid": "%s",
                  "version": {
                    "number": "%s",
                    "build_flavor": "%s",
                    "build_type": "%s",
                    "build_hash": "%s",
                    "build_date": "%s",
                    "build_snapshot": %s,
                    "lucene_version": "%s",
                    "minimum_wire_compatibility_version": "%s",
                    "minimum_index_compatibility_version": "%s"
                  },
                  "tagline": "You Know, for Search"
                }
                """.formatted(
                    cluster.getNodeName(),
                    cluster.getClusterName().value(),
                    cluster.state().metadata().clusterUUID(),
                    build.version(),
                    build.flavor(),
                    build.type().displayName(),
                    build.hash(),
                    build.date(),
                    build.isSnapshot(),
                    org.apache.lucene.util.Version.LATEST,
                    build.minWireCompatVersion(),
                    build.minIndexCompatVersion());
            return channel ->
                channel.sendResponse(new RestResponse(RestStatus.OK, "application/json", body));
        }
    }
}
