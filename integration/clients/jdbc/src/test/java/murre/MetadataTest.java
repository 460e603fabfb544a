package murre;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.reflect.InvocationTargetException;
import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.sql.Types;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** What tools ask before they show anything: DBeaver's walk down the tree, Tableau's questions. */
class MetadataTest {
  private static Server server;
  private static Connection connection;
  private static DatabaseMetaData data;

  @BeforeAll
  static void start() throws Exception {
    server = new Server();
    connection = server.connect();
    data = connection.getMetaData();
    Sql.update(connection, "CREATE SCHEMA shop");
    Sql.update(
        connection,
        "CREATE TABLE shop.order_lines (id BIGINT NOT NULL, price DECIMAL(9,2), note VARCHAR, at TIMESTAMP, ok BOOLEAN)");
    Sql.update(connection, "CREATE VIEW shop.cheap AS SELECT id FROM shop.order_lines WHERE price < 1");
    Sql.update(connection, "CREATE TABLE \"Mixed Case\" (\"A b\" INT)");
    Sql.update(connection, "CREATE TEMPORARY TABLE passing (a INT)");
    Sql.update(connection, "INSERT INTO shop.order_lines VALUES (1, 0.5, 'x', now(), true), (2, 2, NULL, NULL, NULL)");
  }

  @AfterAll
  static void stop() throws Exception {
    connection.close();
    server.close();
  }

  @Test
  void pitfall_2a_13_DBeaver_walks_down_the_tree() throws SQLException {
    assertEquals(Set.of("murre"), Sql.column(data.getCatalogs(), "TABLE_CAT"));
    assertEquals(
        Set.of("public", "shop", "information_schema"), Sql.column(data.getSchemas("murre", null), "TABLE_SCHEM"));
    assertEquals(Set.of("shop"), Sql.column(data.getSchemas(null, "sh%"), "TABLE_SCHEM"));
    assertEquals(Set.of("murre"), Sql.column(data.getSchemas(), "TABLE_CATALOG"));
    assertEquals(Set.of("LOCAL TEMPORARY", "TABLE", "VIEW"), Sql.column(data.getTableTypes(), "TABLE_TYPE"));
    assertEquals(
        Set.of("order_lines"), Sql.column(data.getTables(null, "shop", "%", new String[] {"TABLE"}), "TABLE_NAME"));
    assertEquals(Set.of("cheap", "order_lines"), Sql.column(data.getTables("murre", "shop", null, null), "TABLE_NAME"));
    assertEquals(
        Set.of("passing"),
        Sql.column(data.getTables(null, null, "%", new String[] {"LOCAL TEMPORARY"}), "TABLE_NAME"));
    assertEquals(Set.of("Mixed Case"), Sql.column(data.getTables(null, "public", "Mixed%", null), "TABLE_NAME"));
    String escaped = "order" + data.getSearchStringEscape() + "_lines";
    assertEquals(Set.of("order_lines"), Sql.column(data.getTables(null, "shop", escaped, null), "TABLE_NAME"));
    assertEquals(List.of(), Sql.rows(data.getTables("elsewhere", null, null, null)));
  }

  @Test
  void pitfall_2a_13_columns_have_types_sizes_and_nullability() throws SQLException {
    try (ResultSet columns = data.getColumns(null, "shop", "order_lines", "%")) {
      column(columns, "id", Types.BIGINT, "BIGINT", "NO", 1);
      column(columns, "price", Types.DECIMAL, "DECIMAL", "YES", 2);
      assertEquals(9, columns.getInt("COLUMN_SIZE"));
      assertEquals(2, columns.getInt("DECIMAL_DIGITS"));
      column(columns, "note", Types.VARCHAR, "VARCHAR", "YES", 3);
      column(columns, "at", Types.TIMESTAMP, "TIMESTAMP", "YES", 4);
      column(columns, "ok", Types.BOOLEAN, "BOOLEAN", "YES", 5);
      assertFalse(columns.next());
    }
    assertEquals(Set.of("A b"), Sql.column(data.getColumns("murre", "public", "Mixed Case", null), "COLUMN_NAME"));
    assertEquals(Set.of("id"), Sql.column(data.getColumns(null, "shop", null, "i_"), "COLUMN_NAME"));
  }

  private static void column(
      ResultSet columns, String name, int type, String typeName, String nullable, int position) throws SQLException {
    assertTrue(columns.next());
    assertEquals("murre", columns.getString("TABLE_CAT"));
    assertEquals("shop", columns.getString("TABLE_SCHEM"));
    assertEquals("order_lines", columns.getString("TABLE_NAME"));
    assertEquals(name, columns.getString("COLUMN_NAME"));
    assertEquals(type, columns.getInt("DATA_TYPE"));
    assertEquals(typeName, columns.getString("TYPE_NAME"));
    assertEquals(nullable, columns.getString("IS_NULLABLE"));
    assertEquals(position, columns.getInt("ORDINAL_POSITION"));
  }

  @Test
  void pitfall_2a_13_keys_are_asked_for_and_there_are_none() throws SQLException {
    // Tableau does not go on without table types and primary keys.
    assertEquals(List.of(), Sql.rows(data.getPrimaryKeys(null, "shop", "order_lines")));
    assertEquals(List.of(), Sql.rows(data.getPrimaryKeys("murre", "shop", "cheap")));
    assertEquals(List.of(), Sql.rows(data.getImportedKeys(null, "shop", "order_lines")));
    assertEquals(List.of(), Sql.rows(data.getExportedKeys(null, "shop", "order_lines")));
    assertEquals(List.of(), Sql.rows(data.getCrossReference(null, "shop", "order_lines", null, "shop", "cheap")));
  }

  @Test
  void what_the_driver_answers_by_itself_does_not_fail() throws SQLException {
    for (ResultSet answer : List.of(
        data.getTypeInfo(),
        data.getIndexInfo("murre", "shop", "order_lines", false, true),
        data.getProcedures(null, null, "%"),
        data.getFunctions(null, null, "%"),
        data.getUDTs(null, null, "%", null),
        data.getSuperTables(null, null, "%"),
        data.getBestRowIdentifier(null, "shop", "order_lines", DatabaseMetaData.bestRowSession, true),
        data.getVersionColumns(null, "shop", "order_lines"),
        data.getTablePrivileges(null, "shop", "order_lines"),
        data.getColumnPrivileges(null, "shop", "order_lines", "%"))) {
      Sql.rows(answer);
    }
    assertTrue(connection.isValid(10));
    assertEquals(List.of(List.of(1L)), Sql.rows(connection, "SELECT 1"));
  }

  @Test
  void pitfall_2a_14_everything_that_can_be_asked_about_the_server_is_answered() throws Exception {
    var failed = new ArrayList<String>();
    for (var method : DatabaseMetaData.class.getMethods()) {
      if (method.getParameterCount() == 0) {
        try {
          if (method.invoke(data) instanceof ResultSet result) {
            Sql.rows(result);
          }
        } catch (InvocationTargetException error) {
          failed.add(method.getName() + ": " + error.getCause());
        }
      }
    }
    assertEquals(List.of(), failed);
    for (int level : List.of(
        Connection.TRANSACTION_READ_UNCOMMITTED, Connection.TRANSACTION_READ_COMMITTED,
        Connection.TRANSACTION_REPEATABLE_READ, Connection.TRANSACTION_SERIALIZABLE)) {
      assertFalse(data.supportsTransactionIsolationLevel(level));
    }
    assertTrue(data.supportsResultSetType(ResultSet.TYPE_FORWARD_ONLY));
    assertFalse(data.supportsResultSetType(ResultSet.TYPE_SCROLL_INSENSITIVE));
  }

  @Test
  void pitfall_2a_14_what_the_server_can_do_is_told() throws SQLException {
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
    assertTrue(data.supportsConvert(Types.INTEGER, Types.VARCHAR));
    assertTrue(data.supportsConvert(Types.VARCHAR, Types.TIMESTAMP));
    assertFalse(data.supportsConvert(Types.DATE, Types.BINARY));
    assertTrue(data.getNumericFunctions().contains("sqrt"), data.getNumericFunctions());
    assertTrue(data.getStringFunctions().contains("upper"));
    assertTrue(data.getTimeDateFunctions().contains("date_trunc"));
    assertNotNull(data.getSystemFunctions());
    assertTrue(data.getSQLKeywords().contains("SELECT"));
    assertEquals("schema", data.getSchemaTerm());
  }

  @Test
  void the_information_schema_lists_the_same() throws SQLException {
    var schemas = strings("SELECT schema_name FROM information_schema.schemata");
    assertEquals(Sql.column(data.getSchemas(), "TABLE_SCHEM"), schemas);
    var listed = new TreeSet<String>();
    try (ResultSet tables = data.getTables(null, null, null, new String[] {"TABLE", "VIEW", "LOCAL TEMPORARY"})) {
      while (tables.next()) {
        listed.add(tables.getString("TABLE_SCHEM") + "." + tables.getString("TABLE_NAME") + " "
            + tables.getString("TABLE_TYPE").replaceFirst("^TABLE$", "BASE TABLE"));
      }
    }
    assertEquals(
        strings("SELECT table_schema || '.' || table_name || ' ' || table_type FROM information_schema.tables"), listed);
    var columns = new TreeSet<String>();
    try (ResultSet all = data.getColumns(null, null, null, null)) {
      while (all.next()) {
        if (!all.getString("TABLE_SCHEM").equals("information_schema")) {
          columns.add(all.getString("TABLE_NAME") + "." + all.getString("COLUMN_NAME") + " " + all.getString("IS_NULLABLE"));
        }
      }
    }
    assertEquals(
        strings("SELECT table_name || '.' || column_name || ' ' || is_nullable FROM information_schema.columns"
            + " WHERE table_schema <> 'information_schema'"),
        columns);
  }

  private static Set<String> strings(String sql) throws SQLException {
    var strings = new TreeSet<String>();
    Sql.rows(connection, sql).forEach(row -> strings.add((String) row.get(0)));
    return strings;
  }

  @Test
  void DBeaver_shows_a_table() throws SQLException {
    try (Statement statement = connection.createStatement()) {
      statement.setFetchSize(200);
      statement.setMaxRows(200);
      assertTrue(statement.execute("SELECT x.* FROM murre.shop.order_lines x\nWHERE id > 0\nORDER BY x.id DESC"));
      try (ResultSet result = statement.getResultSet()) {
        var columns = result.getMetaData();
        assertEquals(5, columns.getColumnCount());
        for (int column = 1; column <= 5; column++) {
          // All of it is read for each column.
          columns.getCatalogName(column);
          columns.getSchemaName(column);
          columns.getTableName(column);
          columns.getColumnDisplaySize(column);
          columns.getPrecision(column);
          columns.getScale(column);
          columns.isNullable(column);
          columns.isAutoIncrement(column);
          assertNotNull(columns.getColumnLabel(column));
          assertNotNull(columns.getColumnTypeName(column));
        }
        assertTrue(result.next());
        assertEquals(2, result.getLong(1));
      }
    }
    assertEquals(List.of(List.of(2L)), Sql.rows(connection, "SELECT COUNT(*) FROM murre.shop.order_lines"));
    assertEquals(
        List.of(List.of(0L)), Sql.rows(connection, "SELECT COUNT(*) FROM murre.public.\"Mixed Case\" WHERE \"A b\" = 1"));
  }

  @Test
  void Tableau_asks_around_a_query() throws SQLException {
    String custom = "(\n  SELECT * FROM shop.order_lines\n) \"Custom SQL Query\"";
    for (String sql : List.of(
        "SELECT \"Custom SQL Query\".* FROM " + custom + " LIMIT 1",
        "SELECT SUM(1) AS \"cnt:ok\" FROM \"shop\".\"order_lines\" \"order_lines\" HAVING (COUNT(1) > 0)",
        "SELECT \"order_lines\".\"note\" AS \"note\" FROM \"shop\".\"order_lines\" \"order_lines\""
            + " GROUP BY \"order_lines\".\"note\" ORDER BY 1 ASC LIMIT 1",
        "SELECT MIN(CAST(\"Custom SQL Query\".\"price\" AS DOUBLE)) AS \"a\", MAX(\"Custom SQL Query\".\"at\") AS \"b\""
            + " FROM " + custom + " HAVING (COUNT(1) > 0)",
        "SELECT EXTRACT(YEAR FROM \"at\") AS \"yr:at\", COUNT(DISTINCT \"id\") AS \"n\" FROM \"murre\".\"shop\".\"order_lines\""
            + " WHERE \"at\" IS NOT NULL GROUP BY 1")) {
      assertEquals(1, Sql.rows(connection, sql).size(), sql);
    }
    // Whether it may keep intermediate results here.
    try (Statement statement = connection.createStatement()) {
      statement.executeUpdate("CREATE TEMPORARY TABLE \"#Tableau_1_Connect\" (\"COL\" INTEGER)");
      statement.executeUpdate("INSERT INTO \"#Tableau_1_Connect\" (\"COL\") VALUES (1)");
      statement.executeUpdate("DROP TABLE \"#Tableau_1_Connect\"");
    }
    // The columns of a query, before its rows are wanted.
    try (var statement = connection.prepareStatement("SELECT * FROM " + custom + " WHERE 1 = 0");
        var result = statement.executeQuery()) {
      assertEquals(5, result.getMetaData().getColumnCount());
      assertEquals(Types.DECIMAL, result.getMetaData().getColumnType(2));
    }
  }
}
