"""The table everything is judged by: TPC-H beside DuckDB and DataFusion. Start with run.py."""
