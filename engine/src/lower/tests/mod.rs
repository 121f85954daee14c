//! IR built by hand, run over small tables in memory, compared with what PostgreSQL gives.

mod build;
mod expressions;
mod mutants;
mod relations;
mod subqueries;
mod tpch;
mod windows;
