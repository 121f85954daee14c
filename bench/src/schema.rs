//! The TPC-H tables as the specification types them, with primary keys, and an index on every foreign key.

/// One table: what to create, and what to add when its rows are there.
pub struct Table {
    pub name: &'static str,
    pub columns: &'static str,
    /// Statements to run after the load.
    pub indexes: &'static [&'static str],
}

/// The largest first, so that two loaders end at about the same time.
pub const TABLES: [Table; 8] = [
    Table {
        name: "lineitem",
        columns: "l_orderkey bigint NOT NULL, l_partkey integer NOT NULL, l_suppkey integer NOT NULL, \
                  l_linenumber integer NOT NULL, l_quantity numeric(15,2) NOT NULL, \
                  l_extendedprice numeric(15,2) NOT NULL, l_discount numeric(15,2) NOT NULL, \
                  l_tax numeric(15,2) NOT NULL, l_returnflag char(1) NOT NULL, l_linestatus char(1) NOT NULL, \
                  l_shipdate date NOT NULL, l_commitdate date NOT NULL, l_receiptdate date NOT NULL, \
                  l_shipinstruct char(25) NOT NULL, l_shipmode char(10) NOT NULL, l_comment varchar(44) NOT NULL",
        indexes: &[
            "ALTER TABLE lineitem ADD PRIMARY KEY (l_orderkey, l_linenumber)",
            "CREATE INDEX ON lineitem (l_partkey, l_suppkey)",
            "CREATE INDEX ON lineitem (l_suppkey)",
        ],
    },
    Table {
        name: "orders",
        columns: "o_orderkey bigint NOT NULL, o_custkey integer NOT NULL, o_orderstatus char(1) NOT NULL, \
                  o_totalprice numeric(15,2) NOT NULL, o_orderdate date NOT NULL, o_orderpriority char(15) NOT NULL, \
                  o_clerk char(15) NOT NULL, o_shippriority integer NOT NULL, o_comment varchar(79) NOT NULL",
        indexes: &["ALTER TABLE orders ADD PRIMARY KEY (o_orderkey)", "CREATE INDEX ON orders (o_custkey)"],
    },
    Table {
        name: "partsupp",
        columns: "ps_partkey integer NOT NULL, ps_suppkey integer NOT NULL, ps_availqty integer NOT NULL, \
                  ps_supplycost numeric(15,2) NOT NULL, ps_comment varchar(199) NOT NULL",
        indexes: &[
            "ALTER TABLE partsupp ADD PRIMARY KEY (ps_partkey, ps_suppkey)",
            "CREATE INDEX ON partsupp (ps_suppkey)",
        ],
    },
    Table {
        name: "part",
        columns: "p_partkey integer NOT NULL, p_name varchar(55) NOT NULL, p_mfgr char(25) NOT NULL, \
                  p_brand char(10) NOT NULL, p_type varchar(25) NOT NULL, p_size integer NOT NULL, \
                  p_container char(10) NOT NULL, p_retailprice numeric(15,2) NOT NULL, p_comment varchar(23) NOT NULL",
        indexes: &["ALTER TABLE part ADD PRIMARY KEY (p_partkey)"],
    },
    Table {
        name: "customer",
        columns: "c_custkey integer NOT NULL, c_name varchar(25) NOT NULL, c_address varchar(40) NOT NULL, \
                  c_nationkey integer NOT NULL, c_phone char(15) NOT NULL, c_acctbal numeric(15,2) NOT NULL, \
                  c_mktsegment char(10) NOT NULL, c_comment varchar(117) NOT NULL",
        indexes: &["ALTER TABLE customer ADD PRIMARY KEY (c_custkey)", "CREATE INDEX ON customer (c_nationkey)"],
    },
    Table {
        name: "supplier",
        columns: "s_suppkey integer NOT NULL, s_name char(25) NOT NULL, s_address varchar(40) NOT NULL, \
                  s_nationkey integer NOT NULL, s_phone char(15) NOT NULL, s_acctbal numeric(15,2) NOT NULL, \
                  s_comment varchar(101) NOT NULL",
        indexes: &["ALTER TABLE supplier ADD PRIMARY KEY (s_suppkey)", "CREATE INDEX ON supplier (s_nationkey)"],
    },
    Table {
        name: "nation",
        columns: "n_nationkey integer NOT NULL, n_name char(25) NOT NULL, n_regionkey integer NOT NULL, \
                  n_comment varchar(152)",
        indexes: &["ALTER TABLE nation ADD PRIMARY KEY (n_nationkey)", "CREATE INDEX ON nation (n_regionkey)"],
    },
    Table {
        name: "region",
        columns: "r_regionkey integer NOT NULL, r_name char(25) NOT NULL, r_comment varchar(152)",
        indexes: &["ALTER TABLE region ADD PRIMARY KEY (r_regionkey)"],
    },
];

/// Added last, one after the other, because each locks two tables. The planner's join estimates use them.
pub const FOREIGN_KEYS: [&str; 9] = [
    "ALTER TABLE nation ADD FOREIGN KEY (n_regionkey) REFERENCES region",
    "ALTER TABLE supplier ADD FOREIGN KEY (s_nationkey) REFERENCES nation",
    "ALTER TABLE customer ADD FOREIGN KEY (c_nationkey) REFERENCES nation",
    "ALTER TABLE partsupp ADD FOREIGN KEY (ps_suppkey) REFERENCES supplier",
    "ALTER TABLE partsupp ADD FOREIGN KEY (ps_partkey) REFERENCES part",
    "ALTER TABLE orders ADD FOREIGN KEY (o_custkey) REFERENCES customer",
    "ALTER TABLE lineitem ADD FOREIGN KEY (l_orderkey) REFERENCES orders",
    "ALTER TABLE lineitem ADD FOREIGN KEY (l_partkey, l_suppkey) REFERENCES partsupp",
    "ALTER TABLE lineitem ADD FOREIGN KEY (l_suppkey) REFERENCES supplier",
];
