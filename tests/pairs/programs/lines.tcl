# A line server and its client on Tcl's channels, the server with fileevent:
# lines.tcl server|client PORT
# It speaks as tests/compat/programs/line_server.pl does.
proc must {true what} {
    if {!$true} {
        puts stderr $what
        exit 1
    }
}

proc greet {client address port} {
    fconfigure $client -blocking 0 -buffering full -translation lf
    puts $client "welcome MTLS-TEST-MARKER"
    flush $client
    fileevent $client readable [list answer $client]
}

proc answer {client} {
    if {[gets $client line] < 0} {
        if {[eof $client]} {
            fconfigure $client -blocking 1
            close $client
        }
        return
    }
    if {[regexp {^LINES (\d+)} $line -> count]} {
        for {set number 1} {$number <= $count} {incr number} {
            puts $client "line $number MTLS-TEST-MARKER"
        }
    } else {
        puts $client [string toupper $line]
    }
    flush $client
}

lassign $argv role port
if {$role eq "server"} {
    socket -server greet -myaddr 127.0.0.1 $port
    vwait forever
}

set server [socket 127.0.0.1 $port]
fconfigure $server -buffering line -translation lf
must [expr {[gets $server] eq "welcome MTLS-TEST-MARKER"}] greeting
for {set number 1} {$number <= 20} {incr number} {
    puts $server "hello $number mtls-test-marker"
    must [expr {[gets $server] eq "HELLO $number MTLS-TEST-MARKER"}] "echo $number"
}
puts $server "LINES 30000"
close $server write
set number 0
while {[gets $server line] >= 0} {
    incr number
    must [expr {$line eq "line $number MTLS-TEST-MARKER"}] "line $number: $line"
}
must [expr {$number == 30000}] "only $number lines"
puts fine
