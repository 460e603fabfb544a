package murre;

import static org.junit.jupiter.api.Assertions.assertTrue;

import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.BooleanSupplier;

/** Statements and their rows in one call, and waiting for what a server does in its own time. */
final class Sql {
  /** Longest wait for an event that takes well under a second. */
  private static final long SOON_NANOS = 60_000_000_000L;

  private Sql() {}

  static int update(Connection connection, String sql) throws SQLException {
    try (Statement statement = connection.createStatement()) {
      return statement.executeUpdate(sql);
    }
  }

  static List<List<Object>> rows(Connection connection, String sql) throws SQLException {
    try (Statement statement = connection.createStatement()) {
      return rows(statement.executeQuery(sql));
    }
  }

  static List<List<Object>> rows(ResultSet result) throws SQLException {
    try (result) {
      var rows = new ArrayList<List<Object>>();
      int columns = result.getMetaData().getColumnCount();
      while (result.next()) {
        var row = new ArrayList<Object>();
        for (int column = 1; column <= columns; column++) {
          row.add(result.getObject(column));
        }
        rows.add(row);
      }
      return rows;
    }
  }

  static Set<String> column(ResultSet result, String name) throws SQLException {
    try (result) {
      var values = new TreeSet<String>();
      while (result.next()) {
        values.add(result.getString(name));
      }
      return values;
    }
  }

  /** Whom the server takes the connection's user to be. */
  static Object user(Connection connection) throws SQLException {
    try (Statement open = connection.createStatement(); Statement list = connection.createStatement()) {
      // SHOW PROCESSLIST does not list itself, but what runs beside it.
      ResultSet rows = open.executeQuery("SELECT value AS whoami FROM generate_series(1, 100000000)");
      rows.next();
      try (ResultSet processes = list.executeQuery("SHOW PROCESSLIST")) {
        while (processes.next()) {
          if (processes.getString("sql").contains("whoami")) {
            return processes.getObject("user");
          }
        }
      }
      throw new SQLException("SHOW PROCESSLIST does not list the query beside it");
    }
  }

  /** Waits until no statement runs whose text has `text` in it. */
  static void untilGone(Connection watcher, String text) throws SQLException {
    until("the statement runs on", () -> {
      try (Statement list = watcher.createStatement()) {
        return column(list.executeQuery("SHOW PROCESSLIST"), "sql").stream()
            .noneMatch(sql -> sql.contains(text));
      } catch (SQLException error) {
        throw new IllegalStateException(error);
      }
    });
  }

  static void until(String otherwise, BooleanSupplier happened) {
    long giveUp = System.nanoTime() + SOON_NANOS;
    while (!happened.getAsBoolean()) {
      assertTrue(System.nanoTime() < giveUp, otherwise);
      try {
        Thread.sleep(10);
      } catch (InterruptedException stopped) {
        throw new IllegalStateException(stopped);
      }
    }
  }

  /** Everything an error says, with its causes: drivers put what the server said at different depths. */
  static String said(Throwable error) {
    var text = new StringBuilder();
    for (Throwable cause = error; cause != null; cause = cause.getCause()) {
      text.append(cause).append('\n');
    }
    return text.toString();
  }
}
