//! Events of several lines, over reads and restarts.

use super::bench::*;
use crate::collect::Format;

#[test]
fn an_event_written_in_steps_is_one_event() {
    let mut bench = Bench::new(quick());
    bench.config.files =
        vec![bench.spec_as("indented.log", Format::Indented), bench.spec_as("three.log", Format::MultiLine(3))];
    bench.write("indented.log", "");
    bench.write("three.log", "");
    let lane = Lane::new(1 << 20);
    bench.run(&lane);
    for piece in ["head\n", "  one\n", "  two\nnext\n"] {
        bench.write("indented.log", piece);
        std::thread::sleep(std::time::Duration::from_millis(40));
    }
    lane.expect(&["head   one   two"]);
    // Nothing follows: after a while it is taken for complete.
    std::thread::sleep(std::time::Duration::from_millis(300));
    lane.expect(&["head   one   two", "next"]);
    bench.write("three.log", "1\n2\n");
    std::thread::sleep(std::time::Duration::from_millis(50));
    bench.write("three.log", "3\n4\n");
    lane.expect(&["head   one   two", "next", "1 2 3"]);
}

#[test]
fn a_restart_in_the_middle_of_an_event_begins_with_its_first_line() {
    let mut bench = Bench::new(quick());
    bench.config.files = vec![bench.spec_as("three.log", Format::MultiLine(3))];
    bench.config.idle_flush = std::time::Duration::from_secs(30);
    bench.write("three.log", "");
    {
        let lane = Lane::new(1 << 20);
        bench.run(&lane);
        bench.write("three.log", "1\n2\n3\n4\n5\n");
        lane.expect(&["1 2 3"]);
        bench.stop();
    }
    bench.write("three.log", "6\n7\n");
    let lane = Lane::new(1 << 20);
    bench.run(&lane);
    lane.expect(&["4 5 6"]);
}

#[test]
fn mysql_lines_keep_their_prefix() {
    let mut bench = Bench::new(quick());
    bench.config.files = vec![bench.spec_as("homsrv.err", Format::Mysql)];
    bench.write("homsrv.err", "");
    let lane = Lane::new(1 << 20);
    bench.run(&lane);
    bench.write("homsrv.err", "070823 21:01:30  mysqld ended\njunk\n2023-01-01 10:11:12 0 [Note] x\n");
    lane.expect(&["MySQL log: 070823 21:01:30 mysqld ended", "MySQL log: 2023-01-01 10:11:12 0 [Note] x"]);
    assert_eq!(bench.source("homsrv.err").lost_bytes_total, 4);
}
