//! What is measured: a system, and the state of its cache.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// PostgreSQL's own executor on the heap tables.
    Native,
    /// Fusion tables, forced, with an empty column cache.
    Cold,
    /// Fusion tables, forced, with the query's columns in the cache.
    Warm,
    /// Fusion tables as a user finds them: the cost test chooses; the cache is filled.
    Routed,
    /// DataFusion over tables in memory.
    Memory,
    /// DuckDB over its own tables.
    DuckDb,
}

impl Engine {
    /// In the order in which a round runs them: cold before warm.
    pub const ALL: [Engine; 6] =
        [Engine::Native, Engine::Cold, Engine::Warm, Engine::Routed, Engine::Memory, Engine::DuckDb];

    /// On the command line, and in CSV.
    pub fn name(self) -> &'static str {
        match self {
            Engine::Native => "native",
            Engine::Cold => "cold",
            Engine::Warm => "warm",
            Engine::Routed => "routed",
            Engine::Memory => "memory",
            Engine::DuckDb => "duckdb",
        }
    }

    /// For people.
    pub fn title(self) -> &'static str {
        match self {
            Engine::Native => "PostgreSQL",
            Engine::Cold => "fusion, cold",
            Engine::Warm => "fusion, warm",
            Engine::Routed => "fusion, default route",
            Engine::Memory => "DataFusion in memory",
            Engine::DuckDb => "DuckDB",
        }
    }

    /// Bars of this colour; told apart by most people who do not see all colours.
    pub fn colour(self) -> &'static str {
        match self {
            Engine::Native => "#4477aa",
            Engine::Cold => "#f4a582",
            Engine::Warm => "#cc3311",
            Engine::Routed => "#882255",
            Engine::Memory => "#999933",
            Engine::DuckDb => "#bbbbbb",
        }
    }

    pub fn named(name: &str) -> Option<Engine> {
        Engine::ALL.into_iter().find(|engine| engine.name() == name)
    }

    /// All names, for messages.
    pub fn names() -> String {
        Engine::ALL.map(Engine::name).join(" ")
    }

    /// Whether pg_fusion answers, whose answer must be PostgreSQL's.
    pub fn is_fusion(self) -> bool {
        matches!(self, Engine::Cold | Engine::Warm | Engine::Routed)
    }

    /// Whether the query must run in the engine, by the settings of the session.
    pub fn is_forced(self) -> bool {
        matches!(self, Engine::Cold | Engine::Warm)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_again() {
        for engine in Engine::ALL {
            assert_eq!(Engine::named(engine.name()), Some(engine));
        }
        assert_eq!(Engine::named("oracle"), None);
    }
}
