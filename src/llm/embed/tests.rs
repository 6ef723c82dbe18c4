use std::fs;
use std::path::{Path, PathBuf};

use super::folder::{ModelFolder, Pooling};
use super::{EmbedError, InputKind, LocalEmbedder, Prefixes, Priority};

/// Where `scripts/test` puts the models (`scripts/fetch-model --dir`).
#[expect(clippy::disallowed_methods, reason = "a test's fixture, not configuration")]
fn test_model(name: &str) -> PathBuf {
    let models = std::env::var("HOLDFAST_TEST_MODELS").map_or_else(
        |_| Path::new(&std::env::var("HOME").expect("HOME")).join(".cache/holdfast/models"),
        PathBuf::from,
    );
    let dir = models.join(name);
    assert!(dir.is_dir(), "{} is missing: run scripts/fetch-model --dir {} {name}", dir.display(), models.display());
    dir
}

fn minilm() -> LocalEmbedder {
    LocalEmbedder::load(&test_model("all-MiniLM-L6-v2"), None, 2).expect("load MiniLM")
}

fn embed(model: &LocalEmbedder, kind: InputKind, texts: &[String]) -> Vec<Vec<f32>> {
    model.embed(Priority::Bulk, kind, texts).unwrap().vectors
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_string()).collect()
}

/// Reference values: the forward pass in float64 (numpy) on the same weights; the similarities are the ones that
/// sentence-transformers prints in its documentation for these three sentences.
#[test]
fn minilm_gives_the_published_vectors() {
    let model = minilm();
    assert_eq!((model.model().dims, model.model().max_tokens), (384, 254));
    let inputs = texts(&["The weather is lovely today.", "It's so sunny outside!", "He drove to the stadium."]);
    let vectors = embed(&model, InputKind::Passage, &inputs);
    let reference = [
        0.019_196, 0.120_085, 0.159_598, 0.067_066, 0.050_075, -0.025_919, 0.056_468, -0.092_858, -0.037_611, 0.006_324,
    ];
    for (got, want) in vectors[0].iter().zip(reference) {
        assert!((got - want).abs() < 2e-5, "{got} is not {want}");
    }
    for (pair, want) in [((0, 1), 0.665_955), ((0, 2), 0.104_584), ((1, 2), 0.141_145)] {
        let got = dot(&vectors[pair.0], &vectors[pair.1]);
        assert!((got - want).abs() < 1e-4, "{pair:?}: {got} is not {want}");
    }
}

#[test]
fn padding_changes_nothing() {
    let model = minilm();
    let long = "word ".repeat(254);
    let alone = embed(&model, InputKind::Query, std::slice::from_ref(&long)).remove(0);
    for (got, want) in alone.iter().zip([-0.008_124, -0.095_586, -0.038_673, 0.049_662]) {
        assert!((got - want).abs() < 2e-5, "{got} is not {want}");
    }
    let mixed = embed(&model, InputKind::Query, &[String::from("short"), long, String::new()]);
    let short = embed(&model, InputKind::Query, &texts(&["short"])).remove(0);
    assert!(dot(&mixed[0], &short) > 0.999_99, "the order is kept and padding is masked");
    assert!(dot(&mixed[1], &alone) > 0.999_99);
    assert!(mixed.iter().all(|vector| (dot(vector, vector) - 1.0).abs() < 1e-5));
    assert_eq!(embed(&model, InputKind::Query, &[]), Vec::<Vec<f32>>::new());
    assert_eq!(model.count_tokens("The weather is lovely today.").unwrap(), 6);
}

/// Longer than the model's window, of any content: sentences, one endless word, four-byte characters.
#[test]
fn all_of_a_long_text_is_in_its_vector() {
    for name in ["all-MiniLM-L6-v2", "multilingual-e5-small"] {
        let model = LocalEmbedder::load(&test_model(name), None, 2).unwrap();
        let rain = "It rains on the hills. ".repeat(200);
        let whole = format!("{rain}{}", "The bank lends money. ".repeat(200));
        let (bank, long) = ("The bank lends money. ".repeat(20), format!("{rain}{rain}"));
        let vectors = embed(&model, InputKind::Passage, &[rain, whole, bank, long]);
        let (rain, whole, bank, long) = (&vectors[0], &vectors[1], &vectors[2], &vectors[3]);
        assert!(dot(whole, bank) > dot(rain, bank) + 0.05, "{name}: the end counts");
        assert!(dot(rain, long) > 0.99, "{name}: more of the same changes nothing");
        let odd = texts(&[&"x".repeat(9000), &"𝔘".repeat(3000), &"日本語".repeat(900), &"a ".repeat(3000)]);
        let read = model.embed(Priority::Bulk, InputKind::Query, &odd).unwrap();
        assert!(read.vectors.iter().all(|vector| (dot(vector, vector) - 1.0).abs() < 1e-4), "{name}");
    }
}

/// An endless word is one unknown token to the tokenizer, which holds it in memory many times over: it is tokenized in
/// parts of bounded size, and each part counts.
#[test]
fn a_word_without_end_is_tokenized_in_parts() {
    let model = LocalEmbedder::load(&test_model("all-MiniLM-L6-v2"), None, 2).unwrap();
    let word = "a".repeat(4_000_000);
    assert!(model.count_tokens(&word).unwrap() >= 4_000_000 / (8 << 10));
    let marks = "\u{301}".repeat(200_000);
    let read =
        model.embed(Priority::Bulk, InputKind::Passage, &[word, format!("z{marks}"), "a ".repeat(10_000)]).unwrap();
    assert_eq!(read.vectors.len(), 3);
    assert!(read.vectors.iter().all(|vector| vector.iter().all(|number| number.is_finite())));
    // Nothing is lost or counted twice at the cuts.
    assert_eq!(model.count_tokens(&"rain falls ".repeat(20_000)).unwrap(), 40_000);
    assert_eq!(model.count_tokens("").unwrap(), 0);
}

/// Vectors from before our own layers replaced candle: dimensions 0, 100, 200 and 300 of each.
#[test]
fn vectors_are_those_of_every_release() {
    let fixture = include_str!("../../../tests/fixtures/retrieval/vectors.json");
    let fixture: std::collections::BTreeMap<String, Vec<(String, [f32; 4])>> = serde_json::from_str(fixture).unwrap();
    for (name, known) in fixture {
        let model = LocalEmbedder::load(&test_model(&name), None, 2).unwrap();
        for kind in [InputKind::Passage, InputKind::Query] {
            let known: Vec<_> =
                known.iter().filter(|(text, _)| text.starts_with('?') == (kind == InputKind::Query)).collect();
            let texts: Vec<String> = known.iter().map(|(text, _)| text.clone()).collect();
            let together = embed(&model, kind, &texts);
            for ((text, want), vector) in known.iter().zip(&together) {
                let got = [0, 100, 200, 300].map(|at| vector[at]);
                let near = got.iter().zip(want).all(|(got, want)| (got - want).abs() < 1e-4);
                assert!(near, "{name}, {text:?}: {got:?} is not {want:?}");
                let alone = embed(&model, kind, std::slice::from_ref(text)).remove(0);
                assert!(alone.iter().zip(vector).all(|(a, b)| (a - b).abs() < 1e-5), "{text:?} alone and in company");
            }
        }
    }
}

#[test]
fn the_id_follows_what_decides_a_vector() {
    let folder = test_model("all-MiniLM-L6-v2");
    let plain = LocalEmbedder::describe(&folder, None).unwrap();
    assert_eq!(&plain, minilm().model(), "described as it is loaded");
    let id = plain.id;
    assert!(id.starts_with("all-MiniLM-L6-v2-") && id.len() == "all-MiniLM-L6-v2-".len() + 12, "{id}");
    let prefixes = Prefixes { query: "query: ".into(), passage: "passage: ".into() };
    let changed = LocalEmbedder::load(&folder, Some(prefixes), 2).unwrap();
    assert_ne!(changed.model().id, id);
    assert_eq!(changed.model().max_tokens, 252, "the prefix takes two tokens");
    let query = embed(&changed, InputKind::Query, &texts(&["rain"])).remove(0);
    let spelled = embed(&minilm(), InputKind::Query, &texts(&["query: rain"])).remove(0);
    assert!(dot(&query, &spelled) > 0.999_99);
}

const CONFIG: &str = r#"{"model_type": "bert", "hidden_size": 8, "max_position_embeddings": 64, "pad_token_id": 0}"#;

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, content) in files {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    dir
}

#[test]
fn a_folder_is_read_as_sentence_transformers_reads_it() {
    let plain = folder(&[("config.json", CONFIG)]);
    let plain = ModelFolder::read(plain.path()).unwrap();
    assert_eq!((plain.max_tokens, plain.pooling, plain.prefixes), (64, Pooling::Mean, Prefixes::default()));

    let full = folder(&[
        (
            "config.json",
            &CONFIG.replace("\"bert\"", "\"xlm-roberta\"").replace("\"pad_token_id\": 0", "\"pad_token_id\": 1"),
        ),
        ("1_Pooling/config.json", r#"{"pooling_mode_cls_token": true, "pooling_mode_mean_tokens": false}"#),
        (
            "modules.json",
            r#"[{"type": "sentence_transformers.models.Transformer"}, {"type": "sentence_transformers.models.Pooling"}]"#,
        ),
        ("sentence_bert_config.json", r#"{"max_seq_length": 512}"#),
        ("config_sentence_transformers.json", r#"{"prompts": {"query": "query: ", "document": "passage: "}}"#),
    ]);
    let full = ModelFolder::read(full.path()).unwrap();
    assert_eq!((full.max_tokens, full.pooling), (62, Pooling::Cls), "two positions are reserved");
    assert_eq!((full.prefixes.query.as_str(), full.prefixes.passage.as_str()), ("query: ", "passage: "));
}

#[test]
fn what_would_give_wrong_vectors_is_refused_by_name() {
    let load = |files: &[(&str, &str)]| {
        let dir = folder(files);
        LocalEmbedder::load(dir.path(), None, 2).err().expect("refused")
    };
    assert!(matches!(load(&[]), EmbedError::Read { path, .. } if path.ends_with("config.json")));
    assert!(matches!(load(&[("config.json", "{")]), EmbedError::Malformed { .. }));
    let other = CONFIG.replace("bert", "gpt2");
    assert!(matches!(load(&[("config.json", &other)]), EmbedError::Unsupported(what) if what.contains("gpt2")));
    let dense = r#"[{"type": "sentence_transformers.models.Dense"}]"#;
    assert!(
        matches!(load(&[("config.json", CONFIG), ("modules.json", dense)]), EmbedError::Unsupported(what) if what.contains("Dense"))
    );
    let no_weights = load(&[("config.json", CONFIG)]);
    assert!(matches!(no_weights, EmbedError::Read { path, .. } if path.ends_with("model.safetensors")));
    // A truncated download, and one that is a web page.
    let header = r#"{"x":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}"#;
    let mut cut = (header.len() as u64).to_le_bytes().to_vec();
    cut.extend(header.bytes());
    let cut = String::from_utf8(cut).unwrap();
    for weights in [cut.as_str(), "<!doctype html><html>not found</html>"] {
        let refused = load(&[("config.json", CONFIG), ("model.safetensors", weights)]);
        assert!(matches!(refused, EmbedError::Malformed { .. }), "{refused:?}");
    }
}

/// Prints texts and tokens per second beside the processor's pure multiplication speed, and resident memory.
#[test]
#[ignore = "measures for half a minute; scripts/test-slow"]
fn speed_and_memory() {
    let resident_mb = || {
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let value = |key: &str| -> u64 {
            let line = status.lines().find(|line| line.starts_with(key)).unwrap();
            line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
        };
        (value("VmRSS:"), value("VmHWM:"))
    };
    println!("before: {:?} MB (now, peak)", resident_mb());
    let started = std::time::Instant::now();
    let model = minilm();
    println!("loaded in {:?}: {:?} MB", started.elapsed(), resident_mb());
    let passage = "The appliance keeps every document in the object store and its passages in the database, so that the index can be rebuilt. ";
    for (name, tokens) in [("about 200 tokens", 8), ("about 100 tokens", 4), ("about 25 tokens", 1)] {
        let passages: Vec<String> = (0..128).map(|n| format!("{n} {}", passage.repeat(tokens))).collect();
        let started = std::time::Instant::now();
        let made = model.embed(Priority::Bulk, InputKind::Passage, &passages).unwrap();
        let seconds = started.elapsed().as_secs_f64();
        let (passages, tokens) = (128.0 / seconds, made.tokens as f64 / seconds);
        println!("{name}: {passages:.1} passages/s, {tokens:.0} tokens/s, {:?} MB", resident_mb());
    }
    for threads in [1, 2] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let tokens = pool.install(holdfast_kernels::tokens_of_pure_multiplication);
        println!("multiplying alone, {threads} threads: {tokens:.0} tokens/s");
    }
    let mut times: Vec<f64> = (0..200)
        .map(|n| {
            let question = texts(&[&format!("how often is pump {n} inspected?")]);
            let started = std::time::Instant::now();
            model.embed(Priority::Question, InputKind::Query, &question).unwrap();
            started.elapsed().as_secs_f64() * 1000.0
        })
        .collect();
    times.sort_by(f64::total_cmp);
    println!("a question: median {:.1} ms, 95 % within {:.1} ms", times[100], times[190]);
    assert!(resident_mb().0 <= 350, "{:?}", resident_mb());
}
