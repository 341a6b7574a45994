//! Mixed traffic against the twin while the twin is asked for its own list of connections, for `tests/ledger.rs`: a lab
//! cannot be entered inside a test harness.
//!
//! Knows how clients behave, well and badly, and how an account can be falsified. Judges nothing: every event of the
//! engine but flows goes to standard output, one object a line.
//!
//!     lab_mixed --seed N --seconds S [--every MS] [--twin PATH] [--loss PERMILLE] [--lie omit|add|late|timer]
//!               [--write FILE] [-- TWIN ARGUMENTS]
//!
//! `--loss`: so many frames in a thousand are lost each way between the capture and the device, as on the air.

#[cfg(target_os = "linux")]
fn main() -> anyhow::Result<()> {
    linux::main()
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("the lab is made of Linux's namespaces");
}

#[cfg(target_os = "linux")]
mod linux {
    use std::collections::BTreeMap;
    use std::net::SocketAddr;
    use std::path::PathBuf;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::mpsc::{Receiver, Sender, channel};
    use std::time::{Duration, Instant};

    use anyhow::{Context, Result, bail};
    use esp_tcpwatch::analysis::engine::{DEFAULT_MAX_FLOWS, Engine, EngineConfig};
    use esp_tcpwatch::analysis::event::{CaptureQuality, Start};
    use esp_tcpwatch::analysis::host::DeviceScope;
    use esp_tcpwatch::analysis::input::{Account, Input, Told};
    use esp_tcpwatch::analysis::rule::RuleSet;
    use esp_tcpwatch::app::account::account;
    use esp_tcpwatch::firmware::Client;
    use esp_tcpwatch::firmware::protocol::Faults;
    use esp_tcpwatch::lab::{Lab, LabConfig, find_twin};
    use esp_tcpwatch::sink::record::{Recorder, RecorderInfo};
    use esp_tcpwatch::source::live::{self, LiveConfig};
    use esp_tcpwatch::source::{Source, feed};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpSocket, TcpStream};
    use tokio::time::{sleep, timeout};

    #[derive(Default)]
    struct Asked {
        seed: u64,
        seconds: f64,
        every_ms: u64,
        twin: Option<PathBuf>,
        loss: u32,
        lie: Option<String>,
        write: Option<PathBuf>,
        twin_args: Vec<String>,
    }

    pub fn main() -> Result<()> {
        let asked = read_arguments()?;
        let lab = Lab::enter(&LabConfig {
            twin: find_twin(asked.twin.as_deref())?,
            twin_args: asked.twin_args.clone(),
            seed: asked.seed,
            twin_user: None,
            has_power_switch: false,
        })?;
        let capture = live::open(&LiveConfig::on(lab.interface()))?;
        let (feeder, frames) = feed::feed(64);
        let (tell, accounts) = channel();
        let (no_more, over) = (AtomicBool::new(false), AtomicBool::new(false));
        let engine = Engine::new(EngineConfig {
            devices: DeviceScope::Named(vec![lab.device()]),
            rules: RuleSet::built_in()?,
            flow_events: false,
            segment_events: false,
            start: Start::default(),
            max_flows: DEFAULT_MAX_FLOWS,
        });
        std::thread::scope(|scope| -> Result<()> {
            let capturing = scope.spawn(|| capture.run(feeder, &over));
            let asking = scope.spawn(|| ask_for_accounts(&lab, &asked, tell, &no_more));
            let clients = scope.spawn(|| clients(&lab, &asked));
            let recording = asked.write.clone();
            let watching = scope.spawn(move || watch(engine, frames, accounts, recording));
            let done = clients.join();
            no_more.store(true, Ordering::Relaxed);
            let asked = asking.join();
            // The last account waits for what was on the wire with it.
            std::thread::sleep(Duration::from_millis(500));
            over.store(true, Ordering::Relaxed);
            let captured = capturing.join();
            watching.join().map_err(|_| anyhow::anyhow!("the engine"))??;
            captured.map_err(|_| anyhow::anyhow!("the capture"))??;
            asked.map_err(|_| anyhow::anyhow!("the asking"))??;
            done.map_err(|_| anyhow::anyhow!("the clients"))?
        })?;
        lab.finish().context("at the end")
    }

    fn watch(
        mut engine: Engine,
        mut frames: feed::Feed,
        accounts: Receiver<Account>,
        recording: Option<PathBuf>,
    ) -> Result<()> {
        let file = recording.map(std::fs::File::create).transpose()?.map(std::io::BufWriter::new);
        let mut recorder = file.map(|file| Recorder::new(file, RecorderInfo::default()));
        while let Some(input) = frames.next_input()? {
            if let (Input::Frame(frame), Some(recorder)) = (&input, &mut recorder) {
                recorder.on_frame(frame)?;
            }
            engine.handle(input);
            while let Ok(account) = accounts.try_recv() {
                engine.handle(Input::from(account));
            }
            while let Some(event) = engine.poll_event() {
                println!("{}", serde_json::to_string(&event)?);
            }
        }
        if let Some(recorder) = recorder {
            recorder.finish(CaptureQuality::default())?;
        }
        Ok(())
    }

    fn ask_for_accounts(lab: &Lab, asked: &Asked, tell: Sender<Account>, no_more: &AtomicBool) -> Result<()> {
        let mut liar = asked.lie.as_deref().map(Liar::new);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let client = Client::new(lab.control());
        while !no_more.load(Ordering::Relaxed) {
            let next = Instant::now() + Duration::from_millis(asked.every_ms);
            let mut told = account(lab.device(), &runtime.block_on(client.pcbs())?);
            if let Some(liar) = &mut liar {
                liar.falsify(&mut told)?;
            }
            if tell.send(told).is_err() {
                break;
            }
            std::thread::sleep(next.saturating_duration_since(Instant::now()));
        }
        Ok(())
    }

    /// Makes an account wrong, the same way each time.
    struct Liar {
        how: String,
        /// What it has ever told, and when it last was true.
        known: BTreeMap<SocketAddr, (Told, Instant)>,
    }

    impl Liar {
        fn new(how: &str) -> Liar {
            Liar { how: how.to_owned(), known: BTreeMap::new() }
        }

        fn falsify(&mut self, account: &mut Account) -> Result<()> {
            let now = Instant::now();
            match self.how.as_str() {
                // Linux gives even ports first: every other of those as well.
                "omit" => account.held.retain(|told| told.peer.port() / 2 % 2 == 0),
                "add" => {
                    let nobody = SocketAddr::new(account.device, 80);
                    account.held.push(Told {
                        device: nobody,
                        peer: "10.77.0.1:9".parse()?,
                        remaining: None,
                        age: Some(Duration::ZERO),
                    });
                }
                // A device that forgets nothing.
                "late" => {
                    for told in &account.held {
                        self.known.insert(told.peer, (*told, now));
                    }
                    account.held = self.known.values().map(|(told, _)| *told).collect();
                }
                "timer" => {
                    for told in &mut account.held {
                        told.age = told.age.map(|age| age + Duration::from_secs(2));
                    }
                }
                other => bail!("--lie {other}?"),
            }
            Ok(())
        }
    }

    /// Everything at once for as long as was asked, on this thread.
    fn clients(lab: &Lab, asked: &Asked) -> Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let server = lab.server();
        let seed = asked.seed;
        let until = Duration::from_secs_f64(asked.seconds);
        if asked.loss > 0 {
            let loss = Some(asked.loss);
            let faults = Faults { loss_in_permille: loss, loss_out_permille: loss, ..Faults::default() };
            runtime.block_on(Client::new(lab.control()).set_faults(faults))?;
        }
        runtime.block_on(async move {
            let mut lanes = tokio::task::JoinSet::new();
            for lane in 0..3 {
                lanes.spawn(natural_ports(server, Dice(seed ^ lane)));
            }
            for port in 41_000..41_006 {
                lanes.spawn(one_port_again_and_again(server, port, Dice(seed ^ u64::from(port))));
            }
            lanes.spawn(one_connection_for_many(server, Dice(seed ^ 100)));
            lanes.spawn(rude(server, Dice(seed ^ 200)));
            lanes.spawn(says_nothing(server, Dice(seed ^ 300)));
            sleep(until).await;
            lanes.shutdown().await;
        });
        Ok(())
    }

    async fn natural_ports(server: SocketAddr, mut dice: Dice) {
        loop {
            let path = if dice.below(8) == 0 { "/big?40000" } else { "/" };
            let _refused = timeout(Duration::from_secs(2), async {
                let mut stream = TcpStream::connect(server).await?;
                get(&mut stream, path).await?;
                to_the_end(&mut stream).await
            })
            .await;
            sleep(dice.millis(40, 400)).await;
        }
    }

    async fn one_port_again_and_again(server: SocketAddr, port: u16, mut dice: Dice) {
        loop {
            let patience = dice.millis(100, 3_000);
            let _refused = timeout(patience, async {
                let socket = TcpSocket::new_v4()?;
                socket.set_reuseaddr(true)?;
                socket.bind(SocketAddr::from(([0, 0, 0, 0], port)))?;
                let mut stream = socket.connect(server).await?;
                get(&mut stream, "/").await?;
                to_the_end(&mut stream).await
            })
            .await;
            sleep(dice.millis(30, 900)).await;
        }
    }

    /// Several requests on one connection, where the device lets us; then we close.
    async fn one_connection_for_many(server: SocketAddr, mut dice: Dice) {
        loop {
            let _cut_short = timeout(Duration::from_secs(3), async {
                let mut stream = TcpStream::connect(server).await?;
                let mut octets = [0; 2_048];
                for _ in 0..4 {
                    get(&mut stream, "/").await?;
                    if stream.read(&mut octets).await? == 0 {
                        break;
                    }
                    sleep(dice.millis(50, 300)).await;
                }
                std::io::Result::Ok(())
            })
            .await;
            sleep(dice.millis(50, 300)).await;
        }
    }

    /// Ends by a RST: before the answer, in the midst of it, or after it.
    async fn rude(server: SocketAddr, mut dice: Dice) {
        loop {
            let _reset = timeout(Duration::from_secs(2), async {
                let mut stream = TcpStream::connect(server).await?;
                stream.set_zero_linger()?;
                match dice.below(4) {
                    0 => {}
                    1 => get(&mut stream, "/big?40000").await?,
                    2 => stream.write_all(b"GET / HT").await?,
                    _ => {
                        get(&mut stream, "/").await?;
                        sleep(dice.millis(0, 30)).await;
                    }
                }
                std::io::Result::Ok(())
            })
            .await;
            sleep(dice.millis(100, 500)).await;
        }
    }

    /// A browser's spare connection.
    async fn says_nothing(server: SocketAddr, mut dice: Dice) {
        loop {
            if let Ok(stream) = TcpStream::connect(server).await {
                sleep(dice.millis(100, 2_000)).await;
                drop(stream);
            }
            sleep(dice.millis(100, 500)).await;
        }
    }

    async fn get(stream: &mut TcpStream, path: &str) -> std::io::Result<()> {
        stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: twin\r\n\r\n").as_bytes()).await
    }

    /// Until the device closes, or says nothing more for a while.
    async fn to_the_end(stream: &mut TcpStream) -> std::io::Result<()> {
        let mut octets = [0; 4_096];
        while let Ok(read) = timeout(Duration::from_millis(300), stream.read(&mut octets)).await {
            if read? == 0 {
                break;
            }
        }
        Ok(())
    }

    /// SplitMix64.
    struct Dice(u64);

    impl Dice {
        fn below(&mut self, most: u64) -> u64 {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = self.0;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            (z ^ (z >> 31)) % most
        }

        fn millis(&mut self, least: u64, most: u64) -> Duration {
            Duration::from_millis(least + self.below(most - least))
        }
    }

    fn read_arguments() -> Result<Asked> {
        let mut asked = Asked { seconds: 5.0, every_ms: 250, ..Asked::default() };
        let mut words = std::env::args().skip(1);
        while let Some(option) = words.next() {
            if option == "--" {
                asked.twin_args = words.collect();
                break;
            }
            let mut value = || words.next().with_context(|| format!("{option} needs a value"));
            match option.as_str() {
                "--seed" => asked.seed = value()?.parse()?,
                "--seconds" => asked.seconds = value()?.parse()?,
                "--every" => asked.every_ms = value()?.parse()?,
                "--twin" => asked.twin = Some(value()?.into()),
                "--loss" => asked.loss = value()?.parse()?,
                "--write" => asked.write = Some(value()?.into()),
                "--lie" => asked.lie = Some(value()?),
                _ => bail!("no option {option}"),
            }
        }
        Ok(asked)
    }
}
