//! The 22 TPC-H queries, those the answers in `integration/tpch` are checked with.

macro_rules! queries {
    ($($name:literal),+ $(,)?) => {
        [$(($name, include_str!(concat!("../../../../integration/tpch/queries/", $name, ".sql")))),+]
    };
}

/// Name and text.
pub(super) const QUERIES: [(&str, &str); 22] = queries![
    "q01", "q02", "q03", "q04", "q05", "q06", "q07", "q08", "q09", "q10", "q11", "q12", "q13",
    "q14", "q15", "q16", "q17", "q18", "q19", "q20", "q21", "q22",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::sql::split;

    #[test]
    fn each_file_is_one_statement() {
        for (name, text) in QUERIES {
            assert_eq!(split(text).len(), 1, "{name}");
        }
    }
}
