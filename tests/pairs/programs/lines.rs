// A line server and its client on Rust's std::net: lines server|client PORT
// It speaks as tests/compat/programs/line_server.pl does.
use std::io::{BufRead, BufReader, BufWriter, Result, Write};
use std::net::{Shutdown, TcpListener, TcpStream};

fn serve(stream: TcpStream) -> Result<()> {
    let reader = BufReader::new(stream.try_clone()?);
    let mut writer = BufWriter::new(stream);
    writer.write_all(b"welcome MTLS-TEST-MARKER\n")?;
    writer.flush()?;
    for line in reader.lines() {
        let line = line?;
        match line.strip_prefix("LINES ") {
            Some(count) => {
                for number in 1..=count.parse::<u32>().unwrap() {
                    writeln!(writer, "line {} MTLS-TEST-MARKER", number)?;
                }
            }
            None => writeln!(writer, "{}", line.to_uppercase())?,
        }
        writer.flush()?;
    }
    Ok(())
}

fn ask(mut stream: TcpStream) -> Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    assert_eq!(lines.next().unwrap()?, "welcome MTLS-TEST-MARKER");
    for number in 1..=20 {
        writeln!(stream, "hello {} mtls-test-marker", number)?;
        assert_eq!(lines.next().unwrap()?, format!("HELLO {} MTLS-TEST-MARKER", number));
    }
    stream.write_all(b"LINES 30000\n")?;
    stream.shutdown(Shutdown::Write)?;
    let mut count = 0;
    for line in lines {
        count += 1;
        assert_eq!(line?, format!("line {} MTLS-TEST-MARKER", count));
    }
    assert_eq!(count, 30000);
    println!("fine");
    Ok(())
}

fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().collect();
    let address = format!("127.0.0.1:{}", words[2]);
    if words[1] == "client" {
        return ask(TcpStream::connect(address)?);
    }
    for stream in TcpListener::bind(address)?.incoming() {
        let stream = stream?;
        std::thread::spawn(move || serve(stream).unwrap());
    }
    Ok(())
}
