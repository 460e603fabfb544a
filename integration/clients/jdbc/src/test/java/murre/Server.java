package murre;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Properties;

/** A real server process on free ports, with a data folder of its own. */
final class Server implements AutoCloseable {
  private static final String READY = "ready: flight-sql ";
  private static final String JDBC = "  JDBC     ";

  private final Path folder;
  private final Process process;
  /** What the server says once it is ready. */
  private final List<String> announced = new ArrayList<>();

  Server(String... options) throws IOException {
    folder = Files.createTempDirectory("murre-jdbc-");
    var command = new ArrayList<>(List.of(
        System.getenv("MURRE_BIN"), "serve", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0",
        "--data-dir", data().toString()));
    command.addAll(List.of(options));
    process = new ProcessBuilder(command)
        .redirectError(folder.resolve("log").toFile())
        .start();
    var lines = new BufferedReader(new InputStreamReader(process.getInputStream()));
    for (String line = lines.readLine(); line != null && !line.isEmpty(); line = lines.readLine()) {
      announced.add(line);
    }
    if (announced.isEmpty() || !announced.get(0).startsWith(READY)) {
      throw new IOException("the server did not get ready: " + log());
    }
    // Read on, so that the server never waits for a full pipe.
    var reader = new Thread(() -> lines.lines().forEach(line -> {}));
    reader.setDaemon(true);
    reader.start();
  }

  Path data() {
    return folder.resolve("data");
  }

  /** The URL that the server prints for JDBC. */
  String printedUrl() {
    String line = announced.stream().filter(text -> text.startsWith(JDBC)).findFirst().orElseThrow();
    return line.substring(JDBC.length()).split(" ")[0];
  }

  /** A URL without options. */
  String url() {
    String flight = announced.get(0).substring(READY.length()).split(" ")[0];
    return "jdbc:arrow-flight-sql://" + flight.split("://")[1];
  }

  /** A connection with options as names and values in turn; in plaintext unless they say otherwise. */
  Connection connect(String... options) throws SQLException {
    var properties = new Properties();
    properties.put("useEncryption", "false");
    for (int at = 0; at < options.length; at += 2) {
      properties.put(options[at], options[at + 1]);
    }
    return DriverManager.getConnection(url(), properties);
  }

  String log() {
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
