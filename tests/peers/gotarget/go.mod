module profpipe/tests/peers/gotarget

go 1.22
