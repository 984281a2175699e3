module soapgate/interop

go 1.18

require github.com/hooklift/gowsdl v0.5.0
