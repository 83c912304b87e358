#!/usr/bin/perl
# A line server as Perl scripts are written: IO::Socket, <$fh> and print with stdio-like
# buffers, one connection after the other. line_server.pl PORT
use strict;
use warnings;
use IO::Socket::INET;

my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $ARGV[0],
    Listen => 16, ReuseAddr => 1) or die "listen: $!";
while (my $client = $listener->accept) {
    print $client "welcome MTLS-TEST-MARKER\n";
    while (my $line = <$client>) {
        if ($line =~ /^LINES (\d+)/) {
            print $client "line $_ MTLS-TEST-MARKER\n" for 1 .. $1;
        } else {
            print $client uc $line;
        }
        $client->flush;
    }
    close $client;
}
