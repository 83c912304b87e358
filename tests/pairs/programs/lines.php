<?php
// A line server and its client on PHP's streams: lines.php server|client PORT
// It speaks as tests/compat/programs/line_server.pl does.
[, $role, $port] = $argv;

function must(bool $true, string $what): void
{
    if (!$true) {
        fwrite(STDERR, "$what\n");
        exit(1);
    }
}

if ($role === 'server') {
    $listener = stream_socket_server("tcp://127.0.0.1:$port", $code, $words);
    must($listener !== false, "listen: $words");
    while ($client = stream_socket_accept($listener, -1)) {
        fwrite($client, "welcome MTLS-TEST-MARKER\n");
        while (($line = fgets($client)) !== false) {
            if (preg_match('/^LINES (\d+)/', $line, $match)) {
                for ($number = 1; $number <= $match[1]; $number++) {
                    fwrite($client, "line $number MTLS-TEST-MARKER\n");
                }
            } else {
                fwrite($client, strtoupper($line));
            }
        }
        fclose($client);
    }
    exit(0);
}

$server = fsockopen('127.0.0.1', (int) $port, $code, $words, 10);
must($server !== false, "connect: $words");
must(fgets($server) === "welcome MTLS-TEST-MARKER\n", 'greeting');
for ($number = 1; $number <= 20; $number++) {
    fwrite($server, "hello $number mtls-test-marker\n");
    must(fgets($server) === "HELLO $number MTLS-TEST-MARKER\n", "echo $number");
}
fwrite($server, "LINES 30000\n");
stream_socket_shutdown($server, STREAM_SHUT_WR);
for ($number = 1; ($line = fgets($server)) !== false; $number++) {
    must($line === "line $number MTLS-TEST-MARKER\n", "line $number: $line");
}
must($number === 30001, "only $number lines");
echo "fine\n";
