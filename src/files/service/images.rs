//! Images of objects: variants, what is known of them, and who may choose their options.

use axum::http::{HeaderMap, header};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use futures::TryStreamExt as _;

use super::Files;
use crate::{
    Bucket, Caller, CallerKind, Claims, FilesError, ImageRights, Object, Variant, VariantFacts, Verb, poster, variants,
};
use images::{Accepts, Format, ImageError, Kind, Limit, Limits, Options, Order, Poster, WRITES_AVIF, Want};
use platform::{crypto, error::FieldError};

impl Files {
    /// An image of the object, as a query string says: options by their names, or `preset`, and `s`, the signature of
    /// [`Self::sign_options`]. Names in `others` are somebody else's.
    pub async fn picture(
        &self,
        who: &Caller,
        bucket: &Bucket,
        object: &Object,
        query: &str,
        others: &[&str],
        headers: &HeaderMap,
    ) -> Result<Variant, FilesError> {
        let Asked { options, signature } = asked(bucket, query, others)?;
        let Some(signature) = signature else { return self.variant(who, bucket, object, &options, headers).await };
        let is_open = matches!(bucket.image_options, ImageRights::Signed | ImageRights::Any);
        let expected = self.signature(bucket, object.key.as_str(), &options);
        if !is_open || !crypto::constant_time_eq(expected.as_bytes(), signature.as_bytes()) {
            return Err(FilesError::ImageRights("with another signature"));
        }
        // What is signed is what a token allows.
        let signed =
            Caller { kind: CallerKind::Token(Box::new(self.allowed(bucket, object, &options))), ..who.clone() };
        self.variant(&signed, bucket, object, &options, headers).await
    }

    /// A variant of the object, in a format that the client accepts. Who may read the object is judged by [`Files::find`]; who may choose these
    /// options, here.
    pub async fn variant(
        &self,
        who: &Caller,
        bucket: &Bucket,
        object: &Object,
        options: &Options,
        headers: &HeaderMap,
    ) -> Result<Variant, FilesError> {
        may_choose(who, bucket, options)?;
        self.readable(bucket, object)?;
        let mut accepts = Accepts::default();
        if options.format == Format::Auto {
            let accept = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
            accepts = Accepts::of(&accept.collect::<Vec<_>>().join(","));
            accepts.avif &= self.writes_avif();
        } else if options.format == Format::Avif && !self.writes_avif() {
            return Err(ImageError::Avif.into());
        }
        let name = format!("image {} webp={} avif={}", options.canonical(), accepts.webp, accepts.avif);
        let want = Want::Variant { options: options.clone(), accepts };
        let is_free = matches!(who.kind, CallerKind::Anyone | CallerKind::Link(_)) && !is_preset(bucket, options);
        let key = is_free.then(|| format!("{} {}", bucket.id, who.subject));
        self.made(object, &name, want, key).await
    }

    /// Width, height and frames of an image, with a `ThumbHash` as its bytes.
    pub async fn image_facts(&self, bucket: &Bucket, object: &Object) -> Result<Variant, FilesError> {
        self.readable(bucket, object)?;
        self.made(object, "placeholder", Want::Placeholder, None).await
    }

    /// Deletes what was made of an object: images, and compressed texts.
    pub async fn forget_variants(&self, object: &Object) {
        self.inner.variants.forget(object).await;
    }

    /// What lets readers without an account choose these options for this key, while the bucket permits signed options. It does not end: a new
    /// master key, or other options of the bucket, end it.
    pub fn sign_options(&self, bucket: &Bucket, key: &str, query: &str) -> Result<String, FilesError> {
        let Asked { options, .. } = asked(bucket, query, &[])?;
        let canonical = options.canonical();
        let join = if canonical.is_empty() { "" } else { "&" };
        Ok(format!("{canonical}{join}s={}", self.signature(bucket, key, &options)))
    }

    /// Whether this installation writes AVIF.
    pub(crate) fn writes_avif(&self) -> bool {
        WRITES_AVIF && self.inner.config.avif
    }

    pub(crate) fn image_limits(&self) -> Limits {
        let config = &self.inner.config;
        Limits {
            input_bytes: config.image_max_mib << 20,
            pixels: config.image_max_megapixels * 1_000_000,
            frames: config.image_max_frames,
            ..Limits::default()
        }
    }

    fn signature(&self, bucket: &Bucket, key: &str, options: &Options) -> String {
        let text = format!("image options\0{}\0{key}\0{}", bucket.id, options.canonical());
        URL_SAFE_NO_PAD.encode(crypto::hmac_sha256(&self.inner.token_key, text.as_bytes()))
    }

    fn allowed(&self, bucket: &Bucket, object: &Object, options: &Options) -> Claims {
        Claims {
            version: 1,
            org: bucket.org,
            bucket: bucket.id,
            key: object.key.to_string(),
            prefix: false,
            object: None,
            verb: Verb::Read,
            expires: self.inner.clock.now(),
            max_bytes: None,
            exact_bytes: None,
            content_type: None,
            sha256: None,
            keep: false,
            once: None,
            image: Some(options.canonical()),
        }
    }

    /// What is there already, or is made now; `new_of`: who may make only so many in a minute.
    async fn made(
        &self,
        object: &Object,
        name: &str,
        want: Want,
        new_of: Option<String>,
    ) -> Result<Variant, FilesError> {
        let make = || {
            if let Some(key) = new_of {
                let limited = |retry_after| FilesError::Limited { retry_after };
                self.inner.new_variants.check(&key).map_err(limited)?;
            }
            let (files, object) = (self.clone(), object.clone());
            Ok(async move { files.make(&object, want).await })
        };
        self.inner.variants.get(variants::name(object, name), make).await
    }

    async fn make(&self, object: &Object, want: Want) -> Result<(VariantFacts, Bytes), FilesError> {
        let limits = self.image_limits();
        // Sources in memory are few, however many variants are asked for.
        let _permit = self.inner.image_sources.acquire().await.map_err(|_| FilesError::Busy)?;
        let source = match Poster::of(&object.sniffed) {
            Some(poster) => poster::make(self, object, poster).await?,
            None => self.whole(object, limits.input_bytes).await?,
        };
        let kind = Kind::of(&source).ok_or(ImageError::Format)?;
        let made = self.inner.images.run(&Order { want, limits, source: kind }, source).await?;
        let content_type = made.format.media_type().to_owned();
        let facts = VariantFacts { content_type, width: made.width, height: made.height, frames: made.frames };
        Ok((facts, made.bytes))
    }

    /// The whole content of an object that is not larger.
    pub(crate) async fn whole(&self, object: &Object, most: u64) -> Result<Bytes, FilesError> {
        if object.size > most {
            return Err(ImageError::Refused { limit: Limit::InputBytes, most }.into());
        }
        let content = self.open(&Caller::worker(object.org), object, None).await?;
        let parts: Vec<Bytes> = content.try_collect().await?;
        Ok(parts.concat().into())
    }
}

/// What a query asks for.
struct Asked {
    options: Options,
    signature: Option<String>,
}

fn asked(bucket: &Bucket, query: &str, others: &[&str]) -> Result<Asked, FilesError> {
    let pairs: Vec<(String, String)> = serde_html_form::from_str(query)
        .map_err(|_| FilesError::invalid("", "invalid", "expected names and values"))?;
    let take = |name: &str| pairs.iter().find(|(one, _)| one == name).map(|(_, value)| value.clone());
    let signature = take("s");
    let preset = take("preset");
    let own = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let mut own = own.filter(|(name, _)| !matches!(*name, "s" | "preset") && !others.contains(name)).peekable();
    let options = match preset {
        Some(_) if own.peek().is_some() => {
            return Err(FilesError::invalid("/preset", "invalid", "a preset has all of its options"));
        }
        Some(name) => named(bucket, &name)?,
        None => Options::of_pairs(own).map_err(FilesError::Invalid)?,
    };
    Ok(Asked { options, signature })
}

/// The options of a preset.
fn named(bucket: &Bucket, name: &str) -> Result<Options, FilesError> {
    let unknown = || FilesError::invalid("/preset", "unknown", "the bucket has no preset of this name");
    let preset = bucket.image_presets.get(name).ok_or_else(unknown)?;
    Options::of_preset(preset).map_err(FilesError::Invalid)
}

fn is_preset(bucket: &Bucket, options: &Options) -> bool {
    let mut presets = bucket.image_presets.as_object().into_iter().flat_map(|presets| presets.values());
    presets.any(|preset| Options::of_preset(preset).is_ok_and(|preset| preset == *options))
}

/// Err unless these presets can be stored: each a name and options. Every problem has its pointer.
pub fn check_presets(presets: &serde_json::Value) -> Result<(), Vec<FieldError>> {
    const MOST: usize = 100;
    let Some(presets) = presets.as_object() else {
        return Err(vec![FieldError::new("", "invalid", "expected an object of presets")]);
    };
    let mut errors = Vec::new();
    if presets.len() > MOST {
        errors.push(FieldError::new("", "too_many", format!("at most {MOST} presets")));
    }
    for (name, preset) in presets {
        let fine = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if name.is_empty() || name.len() > 60 || !name.bytes().all(fine) {
            let form = "a name is 1 to 60 letters, digits, hyphens and underscores";
            errors.push(FieldError::new(format!("/{name}"), "invalid", form));
        }
        let problems = Options::of_preset(preset).err().into_iter().flatten();
        errors.extend(problems.map(|error| FieldError { pointer: format!("/{name}{}", error.pointer), ..error }));
    }
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

/// Whoever has an account in the organisation, or a key, chooses freely; for others the bucket decides.
fn may_choose(who: &Caller, bucket: &Bucket, options: &Options) -> Result<(), FilesError> {
    match &who.kind {
        CallerKind::Member { .. } | CallerKind::ApiKey { .. } | CallerKind::AccessKey(_) | CallerKind::Worker => Ok(()),
        CallerKind::Token(claims) if claims.image.as_ref() == Some(&options.canonical()) => Ok(()),
        CallerKind::Token(_) | CallerKind::Link(_) | CallerKind::Anyone => match bucket.image_options {
            ImageRights::Any => Ok(()),
            ImageRights::Presets | ImageRights::Signed if is_preset(bucket, options) => Ok(()),
            ImageRights::Presets => Err(FilesError::ImageRights("by a preset of the bucket alone")),
            ImageRights::Signed => Err(FilesError::ImageRights("by a preset of the bucket, or with signed options")),
            ImageRights::Off => Err(FilesError::ImageRights("in no other form")),
        },
    }
}
