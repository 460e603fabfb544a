package murre;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.math.BigDecimal;
import java.sql.Connection;
import java.sql.Date;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.sql.Timestamp;
import java.sql.Types;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** JDBC as applications and DBeaver use it. Tests are named after the pitfalls in integration/clients/README.md. */
class JdbcTest {
  private static Server server;
  private Connection connection;

  @BeforeAll
  static void start() throws Exception {
    server = new Server();
  }

  @AfterAll
  static void stop() throws Exception {
    server.close();
  }

  @BeforeEach
  void connect() throws SQLException {
    connection = server.connect();
  }

  @AfterEach
  void disconnect() throws SQLException {
    connection.close();
  }

  private int update(String sql) throws SQLException {
    try (Statement statement = connection.createStatement()) {
      return statement.executeUpdate(sql);
    }
  }

  private List<List<Object>> rows(String sql) throws SQLException {
    try (Statement statement = connection.createStatement()) {
      return rows(statement.executeQuery(sql));
    }
  }

  private static List<List<Object>> rows(ResultSet result) throws SQLException {
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

  private static Set<String> column(ResultSet result, String name) throws SQLException {
    try (result) {
      var values = new TreeSet<String>();
      while (result.next()) {
        values.add(result.getString(name));
      }
      return values;
    }
  }

  @Test
  void pitfall_2a_02_updates_take_the_update_path() throws SQLException {
    try (Statement statement = connection.createStatement()) {
      assertFalse(statement.execute("CREATE TABLE counted (a INT, b VARCHAR)"));
      assertEquals(2, statement.executeUpdate("INSERT INTO counted VALUES (1, 'x'), (2, NULL)"));
      assertTrue(statement.execute("SELECT * FROM counted ORDER BY a"));
      assertEquals(
          List.of(Arrays.asList(1, "x"), Arrays.asList(2, null)), rows(statement.getResultSet()));
      statement.executeUpdate("DROP TABLE counted");
    }
  }

  @Test
  void values_of_every_kind_are_read() throws SQLException {
    var row = rows(
        "SELECT 1 AS i, CAST(2 AS SMALLINT) AS s, CAST(1.50 AS DECIMAL(10,2)) AS d, 'ä€😀' AS t, NULL AS n, true AS b,"
            + " DATE '2024-02-29' AS day, TIMESTAMP '2024-02-29 12:30:00' AS at, 1.5 AS f,"
            + " arrow_cast(18446744073709551615, 'UInt64') AS u, X'0aff' AS x").get(0);
    assertEquals(List.of(1L, (short) 2, new BigDecimal("1.50"), "ä€😀"), row.subList(0, 4));
    assertNull(row.get(4));
    assertEquals(true, row.get(5));
    assertEquals("2024-02-29", row.get(6).toString());
    assertEquals(Timestamp.valueOf("2024-02-29 12:30:00"), row.get(7));
    assertEquals(1.5, row.get(8));
    assertEquals(2, ((byte[]) row.get(10)).length);
  }

  @Test
  void pitfall_2a_07_views_and_dictionaries_are_plain() throws SQLException {
    assertEquals(
        List.of(List.of("a view", "a word")),
        rows("SELECT arrow_cast('a view', 'Utf8View') AS v, arrow_cast('a word', 'Dictionary(Int32, Utf8)') AS d"));
  }

  @Test
  void pitfall_2a_04_question_mark() throws SQLException {
    try (var statement = connection.prepareStatement("SELECT '?' AS q, ? AS a WHERE 2 = ? OR ? IS NULL")) {
      assertEquals(3, statement.getParameterMetaData().getParameterCount());
      statement.setString(1, "one");
      statement.setLong(2, 2);
      statement.setString(3, "x");
      assertEquals(List.of(List.of("?", "one")), rows(statement.executeQuery()));
      statement.setString(1, "two");
      statement.setLong(2, 3);
      assertEquals(List.of(), rows(statement.executeQuery()));
    }
  }

  @Test
  void pitfall_2a_05_parameters_have_the_types_of_their_places() throws SQLException {
    update("CREATE TEMPORARY TABLE typed (i INT, l BIGINT, d DECIMAL(10,2), s VARCHAR, f DOUBLE, day DATE, b BOOLEAN)");
    try (var insert = connection.prepareStatement("INSERT INTO typed VALUES (?, ?, ?, ?, ?, ?, ?)")) {
      insert.setInt(1, 1);
      insert.setLong(2, 2);
      insert.setBigDecimal(3, new BigDecimal("3.25"));
      insert.setString(4, "four");
      insert.setDouble(5, 5.5);
      insert.setDate(6, Date.valueOf("2024-02-29"));
      insert.setBoolean(7, true);
      assertEquals(1, insert.executeUpdate());
      for (int index = 1; index <= 7; index++) {
        insert.setNull(index, Types.NULL);
      }
      assertEquals(1, insert.executeUpdate());
    }
    var all = rows("SELECT i, l, d, s, f, CAST(day AS VARCHAR), b FROM typed ORDER BY i NULLS LAST");
    assertEquals(List.of(1, 2L, new BigDecimal("3.25"), "four", 5.5, "2024-02-29", true), all.get(0));
    assertEquals(Arrays.asList(null, null, null, null, null, null, null), all.get(1));
    try (var select = connection.prepareStatement("SELECT l FROM typed WHERE d = ? AND day <= ? LIMIT ?")) {
      select.setBigDecimal(1, new BigDecimal("3.25"));
      select.setDate(2, Date.valueOf("2024-03-01"));
      select.setLong(3, 10);
      assertEquals(List.of(List.of(2L)), rows(select.executeQuery()));
    }
  }

  @Test
  void pitfall_2a_06_timestamps_are_bound_as_they_are() throws SQLException {
    update("CREATE TEMPORARY TABLE moments (at TIMESTAMP)");
    try (var insert = connection.prepareStatement("INSERT INTO moments VALUES (?)")) {
      insert.setTimestamp(1, Timestamp.valueOf("2024-02-29 12:30:45.123"));
      assertEquals(1, insert.executeUpdate());
    }
    assertEquals(Timestamp.valueOf("2024-02-29 12:30:45.123"), rows("SELECT at FROM moments").get(0).get(0));
    try (var select = connection.prepareStatement("SELECT count(*) FROM moments WHERE at = ?")) {
      select.setTimestamp(1, Timestamp.valueOf("2024-02-29 12:30:45.123"));
      assertEquals(List.of(List.of(1L)), rows(select.executeQuery()));
    }
  }

  @Test
  void pitfall_2a_09_a_statement_is_bound_again_and_again() throws SQLException {
    try (var statement = connection.prepareStatement("SELECT value FROM generate_series(1, 100) WHERE value = ?")) {
      for (long wanted = 1; wanted <= 20; wanted++) {
        statement.setLong(1, wanted);
        assertEquals(List.of(List.of(wanted)), rows(statement.executeQuery()));
      }
    }
  }

  @Test
  void pitfall_2a_17_a_batch_is_one_insert() throws SQLException {
    update("CREATE TABLE batched (a INT NOT NULL, b VARCHAR)");
    try (var insert = connection.prepareStatement("INSERT INTO batched VALUES (?, ?)")) {
      for (int row = 0; row < 1000; row++) {
        insert.setInt(1, row);
        insert.setString(2, "row " + row);
        insert.addBatch();
      }
      insert.executeBatch();
    }
    assertEquals(List.of(List.of(1000L, 499500L)), rows("SELECT count(*), sum(a) FROM batched"));
    update("DROP TABLE batched");
  }

  @Test
  void pitfall_2a_13_metadata_as_DBeaver_walks_it() throws SQLException {
    update("CREATE SCHEMA IF NOT EXISTS shop");
    update("CREATE TABLE IF NOT EXISTS shop.order_lines (id BIGINT NOT NULL, price DECIMAL(9,2), note VARCHAR)");
    update("CREATE OR REPLACE VIEW shop.cheap AS SELECT id FROM shop.order_lines WHERE price < 1");
    var data = connection.getMetaData();
    assertEquals(Set.of("murre"), column(data.getCatalogs(), "TABLE_CAT"));
    assertTrue(column(data.getSchemas(), "TABLE_SCHEM").containsAll(Set.of("public", "shop", "information_schema")));
    assertEquals(Set.of("LOCAL TEMPORARY", "TABLE", "VIEW"), column(data.getTableTypes(), "TABLE_TYPE"));
    assertEquals(
        Set.of("order_lines"), column(data.getTables(null, "shop", "%", new String[] {"TABLE"}), "TABLE_NAME"));
    assertEquals(
        Set.of("cheap", "order_lines"), column(data.getTables("murre", "shop", null, null), "TABLE_NAME"));
    String escaped = "order" + data.getSearchStringEscape() + "_lines";
    assertEquals(Set.of("order_lines"), column(data.getTables(null, "shop", escaped, null), "TABLE_NAME"));
    try (var columns = data.getColumns(null, "shop", "order_lines", "%")) {
      assertTrue(columns.next());
      assertEquals("id", columns.getString("COLUMN_NAME"));
      assertEquals(Types.BIGINT, columns.getInt("DATA_TYPE"));
      assertEquals("BIGINT", columns.getString("TYPE_NAME"));
      assertEquals("NO", columns.getString("IS_NULLABLE"));
      assertTrue(columns.next());
      assertEquals("price", columns.getString("COLUMN_NAME"));
      assertEquals(Types.DECIMAL, columns.getInt("DATA_TYPE"));
      assertEquals(9, columns.getInt("COLUMN_SIZE"));
      assertEquals(2, columns.getInt("DECIMAL_DIGITS"));
      assertTrue(columns.next());
      assertEquals(Types.VARCHAR, columns.getInt("DATA_TYPE"));
      assertFalse(columns.next());
    }
    assertEquals(List.of(), rows(data.getPrimaryKeys(null, "shop", "order_lines")));
    assertEquals(List.of(), rows(data.getImportedKeys(null, "shop", "order_lines")));
    assertEquals(List.of(), rows(data.getExportedKeys(null, "shop", "order_lines")));
    assertEquals(List.of(), rows(data.getCrossReference(null, "shop", "order_lines", null, "shop", "cheap")));
    update("DROP VIEW shop.cheap");
    update("DROP TABLE shop.order_lines");
  }

  @Test
  void pitfall_2a_14_what_the_server_can_do_is_told() throws SQLException {
    var data = connection.getMetaData();
    assertEquals("Murre", data.getDatabaseProductName());
    assertEquals("\"", data.getIdentifierQuoteString());
    assertEquals("\\", data.getSearchStringEscape());
    assertEquals(Connection.TRANSACTION_NONE, data.getDefaultTransactionIsolation());
    assertEquals(0, data.getMaxColumnsInTable());
    assertEquals(4 << 20, data.getMaxStatementLength());
    assertFalse(data.supportsTransactions());
    assertFalse(data.supportsSavepoints());
    assertFalse(data.isReadOnly());
    assertTrue(data.supportsBatchUpdates());
    // The driver reads ordinals as masks: 2 as limited outer joins only, 0 as no order of nulls, 3 as other cases.
    assertFalse(data.storesLowerCaseIdentifiers());
    assertFalse(data.supportsFullOuterJoins());
    assertFalse(data.nullsAreSortedHigh());
    assertTrue(data.supportsCorrelatedSubqueries());
    assertTrue(data.supportsUnionAll());
    assertTrue(data.supportsGroupByBeyondSelect());
    assertTrue(data.supportsConvert());
    assertTrue(data.getNumericFunctions().contains("sqrt"), data.getNumericFunctions());
    assertTrue(data.getStringFunctions().contains("upper"));
    assertTrue(data.getTimeDateFunctions().contains("date_trunc"));
    assertNotNull(data.getSystemFunctions());
    assertTrue(data.getSQLKeywords().contains("SELECT"));
    assertEquals("schema", data.getSchemaTerm());
  }

  @Test
  void pitfall_2a_15_commit_is_harmless() throws SQLException {
    connection.setAutoCommit(false);
    assertEquals(List.of(List.of(1L)), rows("SELECT 1"));
    try {
      connection.commit();
    } catch (SQLException refused) {
      // There is nothing to commit; the connection lives on.
    }
    assertEquals(List.of(List.of(2L)), rows("SELECT 2"));
    var error = assertThrows(SQLException.class, () -> update("BEGIN"));
    assertTrue(error.getMessage().contains("commits by itself"), error.getMessage());
  }

  @Test
  void pitfall_2a_18_a_query_that_is_given_up_stops() throws SQLException, InterruptedException {
    try (Statement statement = connection.createStatement()) {
      var result = statement.executeQuery("SELECT a.value FROM generate_series(1, 1000000) a, generate_series(1, 1000000) b");
      assertTrue(result.next());
      statement.cancel();
    }
    try (Connection watcher = server.connect(); Statement list = watcher.createStatement()) {
      long giveUp = System.nanoTime() + 60_000_000_000L;
      while (column(list.executeQuery("SHOW PROCESSLIST"), "sql").stream().anyMatch(sql -> sql.contains("1000000"))) {
        assertTrue(System.nanoTime() < giveUp, "the query runs on");
        Thread.sleep(10);
      }
    }
  }

  @Test
  void known_wrong_2a_20_an_empty_result_has_its_columns_twice() throws SQLException {
    try (Statement statement = connection.createStatement();
        var result = statement.executeQuery("SELECT 1 AS a, 'x' AS b WHERE false")) {
      assertEquals(4, result.getMetaData().getColumnCount());
      assertFalse(result.next());
    }
  }

  @Test
  void errors_say_what_is_wrong() throws SQLException {
    var error = assertThrows(SQLException.class, () -> rows("SELECT nothing"));
    assertTrue(error.getMessage().contains("nothing"), error.getMessage());
    assertEquals(List.of(List.of(1L)), rows("SELECT 1"));
  }
}
