#!/usr/bin/perl
# The client of line_server.pl: line_client.pl PORT
use strict;
use warnings;
use IO::Socket::INET;

my $server = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $ARGV[0])
    or die "connect: $!";
my $line = <$server>;
$line eq "welcome MTLS-TEST-MARKER\n" or die "greeting: $line";
for my $number (1 .. 20) {
    print $server "hello $number mtls-test-marker\n";
    $server->flush;
    $line = <$server>;
    $line eq "HELLO $number MTLS-TEST-MARKER\n" or die "echo: $line";
}
print $server "LINES 30000\n";
$server->flush;
shutdown $server, 1;
my $count = 0;
while ($line = <$server>) {
    $count++;
    $line eq "line $count MTLS-TEST-MARKER\n" or die "line $count: $line";
}
$count == 30000 or die "only $count lines";
print "fine\n";
