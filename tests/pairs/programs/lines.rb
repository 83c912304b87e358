# A line server and its client on Ruby's sockets: lines.rb server|client PORT
# It speaks as tests/compat/programs/line_server.pl does.
require 'socket'

def must(is_true, what)
  abort what unless is_true
end

role, port = ARGV
if role == 'server'
  listener = TCPServer.new('127.0.0.1', port.to_i)
  loop do
    Thread.new(listener.accept) do |client|
      client.puts 'welcome MTLS-TEST-MARKER'
      while (line = client.gets)
        if line =~ /^LINES (\d+)/
          (1..$1.to_i).each { |number| client.puts "line #{number} MTLS-TEST-MARKER" }
        else
          client.write line.upcase
        end
      end
      client.close
    end
  end
end

server = TCPSocket.new('127.0.0.1', port.to_i)
must server.gets == "welcome MTLS-TEST-MARKER\n", 'greeting'
(1..20).each do |number|
  server.puts "hello #{number} mtls-test-marker"
  must server.gets == "HELLO #{number} MTLS-TEST-MARKER\n", "echo #{number}"
end
server.puts 'LINES 30000'
server.close_write
lines = server.read.lines
must lines == (1..30_000).map { |n| "line #{n} MTLS-TEST-MARKER\n" }, "#{lines.size} lines"
puts 'fine'
