//! Enums whose values have a fixed text: [`text_enum!`](crate::text_enum), and [`label_enum!`](crate::label_enum) for metric labels only.

/// Declares an enum whose values have a fixed text in the database, the API and metrics: `ALL`, `as_str`, `FromStr`, serde, the schema and
/// the label value. In the braces: `pub enum Outcome { Passed = "passed", NoRoom = "no_room" }`, further derives in front of it.
#[macro_export]
macro_rules! text_enum {
    ($(#[$meta:meta])* pub enum $name:ident { $($(#[$variant_meta:meta])* $variant:ident = $text:tt),+ $(,)? }) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
        $(#[$meta])*
        pub enum $name { $($(#[$variant_meta])* #[serde(rename = $text)] $variant),+ }

        impl $name {
            #[allow(dead_code, reason = "not every enum is listed")]
            pub const ALL: [Self; [$($text),+].len()] = [$(Self::$variant),+];
        }

        impl std::str::FromStr for $name {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                match text {
                    $($text => Ok(Self::$variant),)+
                    _ => Err(format!("{text:?} is none of {}", [$($text),+].join(", "))),
                }
            }
        }

        $crate::enum_texts! { $name { $($variant = $text),+ } }
    };
}

/// What both kinds of enums have.
#[doc(hidden)]
#[macro_export]
macro_rules! enum_texts {
    ($name:ident { $($variant:ident = $text:tt),+ }) => {
        impl $name {
            /// The fixed text.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }

        impl prometheus_client::encoding::EncodeLabelValue for $name {
            fn encode(&self, encoder: &mut prometheus_client::encoding::LabelValueEncoder<'_>) -> Result<(), std::fmt::Error> {
                std::fmt::Write::write_str(encoder, self.as_str())
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use utoipa::PartialSchema as _;

    text_enum! {
        /// State of a test.
        #[derive(Default, PartialOrd, Ord)]
        pub enum TestState {
            /// Not run yet.
            #[default]
            Waiting = "waiting",
            TimedOut = "timed-out",
        }
    }

    #[test]
    fn a_value_has_one_text_everywhere() {
        assert_eq!(TestState::ALL, [TestState::Waiting, TestState::TimedOut]);
        assert_eq!(TestState::default(), TestState::Waiting);
        for state in TestState::ALL {
            assert_eq!(state.as_str().parse::<TestState>(), Ok(state));
            assert_eq!(serde_json::to_value(state).unwrap(), state.as_str());
            assert_eq!(serde_json::from_value::<TestState>(json!(state.as_str())).unwrap(), state);
        }
        let schema = serde_json::to_value(TestState::schema()).unwrap();
        assert_eq!(schema["enum"], json!(["waiting", "timed-out"]), "{schema}");
        assert_eq!("Waiting".parse::<TestState>().unwrap_err(), "\"Waiting\" is none of waiting, timed-out");
    }
}
