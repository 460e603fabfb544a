package murre;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.util.Comparator;
import java.util.List;
import java.util.Properties;

/** A real server process on free ports, with a data folder of its own. */
final class Server implements AutoCloseable {
  private static final String READY = "ready: flight-sql grpc://";

  private final Path folder;
  private final Process process;
  private final String address;

  Server() throws IOException {
    folder = Files.createTempDirectory("murre-jdbc-");
    var command = List.of(
        System.getenv("MURRE_BIN"), "serve", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0",
        "--data-dir", folder.resolve("data").toString());
    process = new ProcessBuilder(command)
        .redirectError(folder.resolve("log").toFile())
        .start();
    var lines = new BufferedReader(new InputStreamReader(process.getInputStream()));
    String ready = lines.lines()
        .filter(line -> line.startsWith(READY))
        .findFirst()
        .orElseThrow(() -> new IOException("the server did not get ready: " + log()));
    address = ready.substring(READY.length()).split(" ")[0];
    // Read on, so that the server never waits for a full pipe.
    var reader = new Thread(() -> lines.lines().forEach(line -> {}));
    reader.setDaemon(true);
    reader.start();
  }

  Connection connect() throws SQLException {
    var properties = new Properties();
    properties.put("useEncryption", "false");
    return DriverManager.getConnection("jdbc:arrow-flight-sql://" + address, properties);
  }

  private String log() {
    try {
      return Files.readString(folder.resolve("log"));
    } catch (IOException error) {
      return error.toString();
    }
  }

  @Override
  public void close() throws IOException {
    process.destroy();
    process.onExit().join();
    try (var files = Files.walk(folder)) {
      for (Path path : files.sorted(Comparator.reverseOrder()).toList()) {
        Files.delete(path);
      }
    }
  }
}
