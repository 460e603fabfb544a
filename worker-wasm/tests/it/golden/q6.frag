; A filter on narrow columns, then a sum of products: the selection vector, then 64-bit products into a 128-bit sum.
(fragment
  (input (column date32) (column (decimal 15 2) i32) (column (decimal 15 2) i32) (column (decimal 15 2) i32))
  (params (param date32) (param date32) (param (decimal 15 2) i32) (param (decimal 15 2) i32) (param (decimal 15 2) i32))
  (pipeline
    (input 0)
    (filter (and (ge c0 p0) (lt c0 p1) (ge c1 p2) (le c1 p3) (lt c2 p4)))
    (project (mul c3 c1))
    (aggregate single (keys) (sum c0)))
  (pipeline (groups 0) (emit)))

;; the module
(module
  (type (;0;) (func (param i32 i32) (result i32)))
  (type (;1;) (func (param i64 i64 i64 i64) (result i64 i64 i32)))
  (type (;2;) (func (param i64 i64 i64 i64) (result i64 i64 i64 i64)))
  (type (;3;) (func (param i64 i64) (result f64)))
  (type (;4;) (func (param i32) (result i32)))
  (type (;5;) (func (param i32 i32 i32)))
  (type (;6;) (func (param i32 i32 i32)))
  (type (;7;) (func (param i32 i32 i32) (result i32)))
  (type (;8;) (func (param i32 i32 i32 i32) (result i32)))
  (type (;9;) (func (param i32 i32) (result i64)))
  (type (;10;) (func (param i32 i32 i32 i32) (result i32)))
  (type (;11;) (func (param i32 i32 i32 i32) (result i32)))
  (type (;12;) (func (param i32 i32 i64 i64) (result i32 i32)))
  (type (;13;) (func (param i64) (result i64 i64 i64)))
  (type (;14;) (func (param i64 i64 i64) (result i64)))
  (type (;15;) (func (param i32) (result i32)))
  (type (;16;) (func (param i32) (result i32)))
  (type (;17;) (func (result i32)))
  (type (;18;) (func (param i32) (result i32)))
  (import "murre" "memory" (memory (;0;) 1 65536))
  (import "murre" "raise" (func (;0;) (type 0)))
  (export "open" (func 15))
  (export "push_0" (func 16))
  (export "finish_0" (func 17))
  (export "pull" (func 18))
  (func (;1;) (type 1) (param i64 i64 i64 i64) (result i64 i64 i32)
    unreachable
  )
  (func (;2;) (type 2) (param i64 i64 i64 i64) (result i64 i64 i64 i64)
    unreachable
  )
  (func (;3;) (type 3) (param i64 i64) (result f64)
    unreachable
  )
  (func (;4;) (type 4) (param i32) (result i32)
    (local i32 i32)
    i32.const 0
    i32.load offset=4 align=1
    local.set 1
    local.get 1
    local.get 0
    i32.const 63
    i32.add
    i32.const -64
    i32.and
    i32.add
    local.set 2
    local.get 2
    i32.const 0
    i32.load align=1
    i32.gt_u
    if ;; label = @1
      i32.const 0
      local.get 2
      i32.store offset=8 align=1
      i32.const 0
      return
    end
    i32.const 0
    local.get 2
    i32.store offset=4 align=1
    local.get 1
    return
    unreachable
  )
  (func (;5;) (type 5) (param i32 i32 i32)
    (local i32)
    local.get 0
    local.get 1
    i32.add
    local.set 3
    local.get 0
    local.get 3
    i32.lt_u
    if ;; label = @1
      loop ;; label = @2
        local.get 2
        local.get 0
        v128.load align=1
        i32.const 7
        i8x16.shl
        i8x16.bitmask
        i32.store16 align=1
        local.get 2
        i32.const 2
        i32.add
        local.set 2
        local.get 0
        i32.const 16
        i32.add
        local.set 0
        local.get 0
        local.get 3
        i32.lt_u
        br_if 0 (;@2;)
      end
    end
  )
  (func (;6;) (type 6) (param i32 i32 i32)
    unreachable
  )
  (func (;7;) (type 7) (param i32 i32 i32) (result i32)
    unreachable
  )
  (func (;8;) (type 8) (param i32 i32 i32 i32) (result i32)
    unreachable
  )
  (func (;9;) (type 9) (param i32 i32) (result i64)
    unreachable
  )
  (func (;10;) (type 10) (param i32 i32 i32 i32) (result i32)
    unreachable
  )
  (func (;11;) (type 11) (param i32 i32 i32 i32) (result i32)
    unreachable
  )
  (func (;12;) (type 12) (param i32 i32 i64 i64) (result i32 i32)
    unreachable
  )
  (func (;13;) (type 13) (param i64) (result i64 i64 i64)
    unreachable
  )
  (func (;14;) (type 14) (param i64 i64 i64) (result i64)
    unreachable
  )
  (func (;15;) (type 15) (param i32) (result i32)
    i32.const 0
    local.get 0
    i64.load align=1
    i64.store offset=1024 align=1
    i32.const 0
    local.get 0
    i64.load offset=8 align=1
    i64.store offset=1032 align=1
    i32.const 0
    local.get 0
    i64.load offset=16 align=1
    i64.store offset=1040 align=1
    i32.const 0
    local.get 0
    i64.load offset=24 align=1
    i64.store offset=1048 align=1
    i32.const 0
    local.get 0
    i64.load offset=32 align=1
    i64.store offset=1056 align=1
    i32.const 0
    local.get 0
    i64.load offset=40 align=1
    i64.store offset=1064 align=1
    i32.const 0
    local.get 0
    i64.load offset=48 align=1
    i64.store offset=1072 align=1
    i32.const 0
    local.get 0
    i64.load offset=56 align=1
    i64.store offset=1080 align=1
    i32.const 0
    local.get 0
    i64.load offset=64 align=1
    i64.store offset=1088 align=1
    i32.const 0
    local.get 0
    i64.load offset=72 align=1
    i64.store offset=1096 align=1
    i32.const 0
    i64.const 14
    i64.store offset=632 align=1
    i32.const 0
    v128.const i32x4 0xffffffff 0xffffffff 0xffffffff 0xffffffff
    v128.store offset=1184 align=1
    i32.const 0
    v128.const i32x4 0x03020100 0xffffffff 0xffffffff 0xffffffff
    v128.store offset=1200 align=1
    i32.const 0
    v128.const i32x4 0x07060504 0xffffffff 0xffffffff 0xffffffff
    v128.store offset=1216 align=1
    i32.const 0
    v128.const i32x4 0x03020100 0x07060504 0xffffffff 0xffffffff
    v128.store offset=1232 align=1
    i32.const 0
    v128.const i32x4 0x0b0a0908 0xffffffff 0xffffffff 0xffffffff
    v128.store offset=1248 align=1
    i32.const 0
    v128.const i32x4 0x03020100 0x0b0a0908 0xffffffff 0xffffffff
    v128.store offset=1264 align=1
    i32.const 0
    v128.const i32x4 0x07060504 0x0b0a0908 0xffffffff 0xffffffff
    v128.store offset=1280 align=1
    i32.const 0
    v128.const i32x4 0x03020100 0x07060504 0x0b0a0908 0xffffffff
    v128.store offset=1296 align=1
    i32.const 0
    v128.const i32x4 0x0f0e0d0c 0xffffffff 0xffffffff 0xffffffff
    v128.store offset=1312 align=1
    i32.const 0
    v128.const i32x4 0x03020100 0x0f0e0d0c 0xffffffff 0xffffffff
    v128.store offset=1328 align=1
    i32.const 0
    v128.const i32x4 0x07060504 0x0f0e0d0c 0xffffffff 0xffffffff
    v128.store offset=1344 align=1
    i32.const 0
    v128.const i32x4 0x03020100 0x07060504 0x0f0e0d0c 0xffffffff
    v128.store offset=1360 align=1
    i32.const 0
    v128.const i32x4 0x0b0a0908 0x0f0e0d0c 0xffffffff 0xffffffff
    v128.store offset=1376 align=1
    i32.const 0
    v128.const i32x4 0x03020100 0x0b0a0908 0x0f0e0d0c 0xffffffff
    v128.store offset=1392 align=1
    i32.const 0
    v128.const i32x4 0x07060504 0x0b0a0908 0x0f0e0d0c 0xffffffff
    v128.store offset=1408 align=1
    i32.const 0
    v128.const i32x4 0x03020100 0x07060504 0x0b0a0908 0x0f0e0d0c
    v128.store offset=1424 align=1
    i32.const 0
    return
    unreachable
  )
  (func (;16;) (type 16) (param i32) (result i32)
    (local i32 i32 i64 i64 i64 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 v128 v128 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i64 i32 i64 i32 i32 i32 i32 i64 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i64 i64 i32 i32 i32 i64 i64 i64 i32 i64 i64 i64 i64 i32)
    i32.const 0
    i32.load offset=1024 align=1
    local.set 1
    i32.const 0
    i32.load offset=1040 align=1
    local.set 2
    i32.const 0
    i64.load32_s offset=1056 align=1
    local.set 3
    i32.const 0
    i64.load32_s offset=1072 align=1
    local.set 4
    i32.const 0
    i64.load32_s offset=1088 align=1
    local.set 5
    local.get 0
    i32.const 0
    i32.load offset=1440 align=1
    i32.gt_u
    if ;; label = @1
      local.get 0
      i32.const 63
      i32.add
      i32.const -64
      i32.and
      local.set 6
      local.get 6
      i32.const 4
      i32.mul
      call 4
      local.set 7
      local.get 7
      i32.eqz
      if ;; label = @2
        i32.const 2
        return
      end
      i32.const 0
      local.get 7
      i32.store offset=1444 align=1
      i32.const 0
      local.get 6
      i32.store offset=1440 align=1
    end
    i32.const 0
    i32.load offset=1444 align=1
    i32.const 0
    i32.load offset=1440 align=1
    i32.const 0
    i32.mul
    i32.add
    local.set 8
    i32.const 0
    local.set 9
    i32.const 0
    i32.load offset=1168 align=1
    i32.eqz
    if ;; label = @1
      i32.const 0
      i32.load offset=64 align=1
      local.set 10
      local.get 10
      i32.load align=1
      local.set 11
      local.get 10
      i32.load offset=32 align=1
      local.set 12
      local.get 10
      i32.load offset=64 align=1
      local.set 13
      local.get 10
      i32.load offset=96 align=1
      local.set 14
      i32.const 0
      i32.load offset=628 align=1
      i32.const -1
      i32.eq
      local.set 16
      i32.const 0
      i32.const 0
      i32.load offset=628 align=1
      local.get 16
      select
      local.set 17
      i32.const 0
      i32.load offset=1456 align=1
      i32.const 0
      local.get 17
      select
      local.set 9
      local.get 17
      i32.const 0
      i32.eq
      if ;; label = @2
        local.get 1
        i32x4.splat
        local.set 18
        local.get 2
        i32x4.splat
        local.set 19
        i32.const 0
        local.set 15
        i32.const 0
        local.set 9
        block ;; label = @3
          loop ;; label = @4
            local.get 0
            local.get 15
            i32.le_u
            br_if 1 (;@3;)
            local.get 11
            local.get 15
            i32.const 4
            i32.mul
            i32.add
            v128.load align=1
            local.get 18
            i32x4.ge_s
            local.get 11
            local.get 15
            i32.const 4
            i32.mul
            i32.add
            v128.load offset=16 align=1
            local.get 18
            i32x4.ge_s
            i16x8.narrow_i32x4_s
            local.get 11
            local.get 15
            i32.const 4
            i32.mul
            i32.add
            v128.load offset=32 align=1
            local.get 18
            i32x4.ge_s
            local.get 11
            local.get 15
            i32.const 4
            i32.mul
            i32.add
            v128.load offset=48 align=1
            local.get 18
            i32x4.ge_s
            i16x8.narrow_i32x4_s
            i8x16.narrow_i16x8_s
            i8x16.bitmask
            local.get 11
            local.get 15
            i32.const 4
            i32.mul
            i32.add
            v128.load align=1
            local.get 19
            i32x4.lt_s
            local.get 11
            local.get 15
            i32.const 4
            i32.mul
            i32.add
            v128.load offset=16 align=1
            local.get 19
            i32x4.lt_s
            i16x8.narrow_i32x4_s
            local.get 11
            local.get 15
            i32.const 4
            i32.mul
            i32.add
            v128.load offset=32 align=1
            local.get 19
            i32x4.lt_s
            local.get 11
            local.get 15
            i32.const 4
            i32.mul
            i32.add
            v128.load offset=48 align=1
            local.get 19
            i32x4.lt_s
            i16x8.narrow_i32x4_s
            i8x16.narrow_i16x8_s
            i8x16.bitmask
            i32.and
            local.set 20
            local.get 0
            local.get 15
            i32.sub
            local.set 21
            local.get 20
            i32.const 1
            local.get 21
            i32.shl
            i32.const 1
            i32.sub
            i32.const 65535
            local.get 21
            i32.const 16
            i32.lt_u
            select
            i32.and
            local.set 20
            local.get 20
            if ;; label = @5
              local.get 8
              local.get 9
              i32.const 2
              i32.shl
              i32.add
              local.set 22
              local.get 20
              i32.const 0
              i32.shr_u
              i32.const 15
              i32.and
              local.set 23
              local.get 22
              local.get 15
              i32x4.splat
              v128.const i32x4 0x00000000 0x00000001 0x00000002 0x00000003
              i32x4.add
              local.get 23
              i32.const 4
              i32.shl
              v128.load offset=1184 align=1
              i8x16.swizzle
              v128.store align=1
              local.get 22
              local.get 23
              i32.popcnt
              i32.const 2
              i32.shl
              i32.add
              local.set 22
              local.get 20
              i32.const 4
              i32.shr_u
              i32.const 15
              i32.and
              local.set 24
              local.get 22
              local.get 15
              i32x4.splat
              v128.const i32x4 0x00000004 0x00000005 0x00000006 0x00000007
              i32x4.add
              local.get 24
              i32.const 4
              i32.shl
              v128.load offset=1184 align=1
              i8x16.swizzle
              v128.store align=1
              local.get 22
              local.get 24
              i32.popcnt
              i32.const 2
              i32.shl
              i32.add
              local.set 22
              local.get 20
              i32.const 8
              i32.shr_u
              i32.const 15
              i32.and
              local.set 25
              local.get 22
              local.get 15
              i32x4.splat
              v128.const i32x4 0x00000008 0x00000009 0x0000000a 0x0000000b
              i32x4.add
              local.get 25
              i32.const 4
              i32.shl
              v128.load offset=1184 align=1
              i8x16.swizzle
              v128.store align=1
              local.get 22
              local.get 25
              i32.popcnt
              i32.const 2
              i32.shl
              i32.add
              local.set 22
              local.get 20
              i32.const 12
              i32.shr_u
              i32.const 15
              i32.and
              local.set 26
              local.get 22
              local.get 15
              i32x4.splat
              v128.const i32x4 0x0000000c 0x0000000d 0x0000000e 0x0000000f
              i32x4.add
              local.get 26
              i32.const 4
              i32.shl
              v128.load offset=1184 align=1
              i8x16.swizzle
              v128.store align=1
              local.get 22
              local.get 26
              i32.popcnt
              i32.const 2
              i32.shl
              i32.add
              local.set 22
              local.get 22
              local.get 8
              i32.sub
              i32.const 2
              i32.shr_u
              local.set 9
            end
            local.get 15
            i32.const 16
            i32.add
            local.set 15
            br 0 (;@4;)
          end
        end
        i32.const 0
        local.get 9
        i32.store offset=1456 align=1
        i32.const 1
        local.set 17
        local.get 9
        i32.const 0
        i32.gt_u
        local.get 16
        i32.eqz
        i32.and
        if ;; label = @3
          i32.const 0
          i64.const 2
          i64.store offset=608 align=1
          i32.const 0
          local.get 8
          i32.store offset=616 align=1
          i32.const 0
          i32.const 4
          i32.store offset=620 align=1
          i32.const 0
          local.get 9
          i32.store offset=624 align=1
          i32.const 4
          return
        end
      end
      local.get 17
      i32.const 1
      i32.eq
      if ;; label = @2
        local.get 9
        local.set 27
        i32.const 0
        local.set 28
        i32.const 0
        local.set 9
        local.get 28
        local.get 27
        i32.lt_u
        if ;; label = @3
          loop ;; label = @4
            local.get 8
            local.get 28
            i32.const 2
            i32.shl
            i32.add
            i32.load align=1
            local.set 15
            local.get 8
            local.get 9
            i32.const 2
            i32.shl
            i32.add
            local.get 15
            i32.store align=1
            i32.const 0
            local.set 29
            i32.const 0
            local.set 30
            local.get 12
            local.get 15
            i32.const 4
            i32.mul
            i32.add
            i64.load32_s align=1
            local.set 31
            local.get 3
            local.get 31
            i64.le_s
            local.set 32
            local.get 29
            local.get 32
            i32.eqz
            i32.or
            local.set 29
            local.get 12
            local.get 15
            i32.const 4
            i32.mul
            i32.add
            i64.load32_s align=1
            local.set 33
            local.get 33
            local.get 4
            i64.le_s
            local.set 34
            local.get 29
            local.get 34
            i32.eqz
            i32.or
            local.set 29
            local.get 29
            i32.eqz
            local.set 35
            local.get 9
            local.get 35
            i32.add
            local.set 9
            local.get 28
            i32.const 1
            i32.add
            local.set 28
            local.get 28
            local.get 27
            i32.lt_u
            br_if 0 (;@4;)
          end
        end
        i32.const 0
        local.get 9
        i32.store offset=1456 align=1
        i32.const 2
        local.set 17
        local.get 9
        i32.const 0
        i32.gt_u
        local.get 16
        i32.eqz
        i32.and
        if ;; label = @3
          i32.const 0
          i64.const 4
          i64.store offset=608 align=1
          i32.const 0
          local.get 8
          i32.store offset=616 align=1
          i32.const 0
          i32.const 4
          i32.store offset=620 align=1
          i32.const 0
          local.get 9
          i32.store offset=624 align=1
          i32.const 4
          return
        end
      end
      local.get 17
      i32.const 2
      i32.eq
      if ;; label = @2
        local.get 9
        local.set 36
        i32.const 0
        local.set 37
        i32.const 0
        local.set 9
        local.get 37
        local.get 36
        i32.lt_u
        if ;; label = @3
          loop ;; label = @4
            local.get 8
            local.get 37
            i32.const 2
            i32.shl
            i32.add
            i32.load align=1
            local.set 15
            local.get 8
            local.get 9
            i32.const 2
            i32.shl
            i32.add
            local.get 15
            i32.store align=1
            local.get 13
            local.get 15
            i32.const 4
            i32.mul
            i32.add
            i64.load32_s align=1
            local.set 38
            local.get 38
            local.get 5
            i64.lt_s
            local.set 39
            local.get 9
            local.get 39
            i32.add
            local.set 9
            local.get 37
            i32.const 1
            i32.add
            local.set 37
            local.get 37
            local.get 36
            i32.lt_u
            br_if 0 (;@4;)
          end
        end
        i32.const 0
        local.get 9
        i32.store offset=1456 align=1
        i32.const 3
        local.set 17
        local.get 9
        i32.const 0
        i32.gt_u
        local.get 16
        i32.eqz
        i32.and
        if ;; label = @3
          i32.const 0
          i64.const 8
          i64.store offset=608 align=1
          i32.const 0
          local.get 8
          i32.store offset=616 align=1
          i32.const 0
          i32.const 4
          i32.store offset=620 align=1
          i32.const 0
          local.get 9
          i32.store offset=624 align=1
          i32.const 4
          return
        end
      end
    end
    i32.const 0
    i32.load offset=1168 align=1
    i32.eqz
    if ;; label = @1
    end
    i32.const 0
    i32.load offset=1172 align=1
    local.get 9
    i32.const 0
    i32.load offset=1168 align=1
    select
    local.set 40
    i32.const 0
    i32.load offset=1168 align=1
    local.set 41
    i32.const 0
    i32.load offset=64 align=1
    local.set 43
    local.get 43
    i32.load align=1
    local.set 44
    local.get 43
    i32.load offset=32 align=1
    local.set 45
    local.get 43
    i32.load offset=64 align=1
    local.set 46
    local.get 43
    i32.load offset=96 align=1
    local.set 47
    i32.const 1104
    local.set 48
    local.get 48
    i64.load align=1
    local.get 48
    i64.load offset=8 align=1
    local.set 50
    local.set 49
    local.get 48
    i32.load8_u offset=16
    local.set 51
    block ;; label = @1
      loop ;; label = @2
        local.get 40
        local.get 41
        i32.le_u
        br_if 1 (;@1;)
        i32.const 0
        local.get 40
        i32.store offset=1172 align=1
        i32.const 0
        local.get 41
        i32.store offset=1168 align=1
        local.get 40
        local.get 41
        i32.sub
        local.set 52
        local.get 41
        local.get 52
        i32.const 1024
        local.get 52
        i32.const 1024
        i32.lt_u
        select
        i32.add
        local.set 53
        local.get 41
        local.get 53
        i32.lt_u
        if ;; label = @3
          loop ;; label = @4
            local.get 8
            local.get 41
            i32.const 2
            i32.shl
            i32.add
            i32.load align=1
            local.set 42
            local.get 47
            local.get 42
            i32.const 4
            i32.mul
            i32.add
            i64.load32_s align=1
            local.set 54
            local.get 45
            local.get 42
            i32.const 4
            i32.mul
            i32.add
            i64.load32_s align=1
            local.set 55
            local.get 54
            local.get 55
            i64.mul
            local.set 56
            i32.const 1
            local.set 57
            local.get 57
            local.set 51
            local.get 56
            local.get 56
            i64.const 63
            i64.shr_s
            local.set 59
            local.set 58
            local.get 49
            local.get 50
            local.get 58
            local.get 59
            i64.add128
            local.set 61
            local.set 60
            local.get 60
            local.get 61
            local.set 50
            local.set 49
            local.get 41
            i32.const 1
            i32.add
            local.set 41
            local.get 41
            local.get 53
            i32.lt_u
            br_if 0 (;@4;)
          end
        end
        br 0 (;@2;)
      end
    end
    i32.const 1104
    local.set 62
    local.get 62
    local.get 49
    i64.store align=1
    local.get 62
    local.get 50
    i64.store offset=8 align=1
    local.get 62
    local.get 51
    i32.store8 offset=16
    i32.const 0
    i32.const 0
    i32.store offset=1168 align=1
    i32.const 0
    i32.const 0
    i64.load offset=32 align=1
    local.get 0
    i64.extend_i32_u
    i64.add
    i64.store offset=32 align=1
    i32.const 0
    return
    unreachable
  )
  (func (;17;) (type 17) (result i32)
    i32.const 0
    i32.const 1
    i32.store offset=1152 align=1
    i32.const 0
    return
    unreachable
  )
  (func (;18;) (type 18) (param i32) (result i32)
    (local i32 i32 i32 i32 i64 i64 i64 i32 i32 i32 i32 i32 i32 i32 i32 i32 i64 i64 i32 i32 i32 i32)
    local.get 0
    i32.const 0
    i32.load offset=1504 align=1
    i32.gt_u
    if ;; label = @1
      local.get 0
      i32.const 63
      i32.add
      i32.const -64
      i32.and
      local.set 1
      local.get 1
      i32.const 18
      i32.mul
      call 4
      local.set 2
      local.get 2
      i32.eqz
      if ;; label = @2
        i32.const 2
        return
      end
      i32.const 0
      local.get 2
      i32.store offset=1508 align=1
      i32.const 0
      local.get 1
      i32.store offset=1504 align=1
    end
    i32.const 0
    i32.load offset=1024 align=1
    local.set 3
    i32.const 0
    i32.load offset=1040 align=1
    local.set 4
    i32.const 0
    i64.load32_s offset=1056 align=1
    local.set 5
    i32.const 0
    i64.load32_s offset=1072 align=1
    local.set 6
    i32.const 0
    i64.load32_s offset=1088 align=1
    local.set 7
    i32.const 0
    i32.load offset=1508 align=1
    i32.const 0
    i32.load offset=1504 align=1
    i32.const 0
    i32.mul
    i32.add
    local.set 8
    i32.const 0
    i32.load offset=1508 align=1
    i32.const 0
    i32.load offset=1504 align=1
    i32.const 16
    i32.mul
    i32.add
    local.set 9
    i32.const 0
    i32.load offset=1508 align=1
    i32.const 0
    i32.load offset=1504 align=1
    i32.const 17
    i32.mul
    i32.add
    local.set 10
    i32.const 0
    local.set 11
    i32.const 1
    local.set 12
    i32.const 0
    i32.load offset=1152 align=1
    if ;; label = @1
      i32.const 0
      i32.load offset=1156 align=1
      local.set 13
      local.get 12
      local.get 13
      i32.sub
      local.set 14
      local.get 13
      local.get 14
      local.get 0
      local.get 14
      local.get 0
      i32.lt_u
      select
      i32.add
      local.set 15
      local.get 13
      local.get 15
      i32.lt_u
      if ;; label = @2
        loop ;; label = @3
          i32.const 1104
          local.set 16
          local.get 16
          i64.load align=1
          local.get 16
          i64.load offset=8 align=1
          local.set 18
          local.set 17
          local.get 16
          i32.load8_u offset=16
          local.set 19
          local.get 19
          i32.eqz
          local.set 20
          local.get 8
          local.get 11
          i32.const 16
          i32.mul
          i32.add
          local.set 21
          local.get 21
          local.get 17
          i64.store align=1
          local.get 21
          local.get 18
          i64.store offset=8 align=1
          local.get 9
          local.get 11
          i32.add
          local.get 20
          i32.eqz
          i32.store8
          local.get 11
          i32.const 1
          i32.add
          local.set 11
          local.get 13
          i32.const 1
          i32.add
          local.set 13
          local.get 13
          local.get 15
          i32.lt_u
          br_if 0 (;@3;)
        end
      end
      i32.const 0
      local.get 15
      i32.store offset=1156 align=1
    end
    i32.const 0
    local.get 8
    i32.store offset=1472 align=1
    local.get 9
    local.get 11
    local.get 10
    call 5
    i32.const 0
    local.get 10
    i32.store offset=1476 align=1
    i32.const 0
    local.get 11
    i32.store offset=1488 align=1
    i32.const 0
    local.get 11
    i32.store offset=1520 align=1
    i32.const 0
    i32.load offset=1520 align=1
    local.set 22
    i32.const 0
    i32.const 0
    i32.store offset=1520 align=1
    i32.const 0
    local.get 22
    i32.store offset=24 align=1
    i32.const 0
    i32.const 1472
    i32.store offset=28 align=1
    local.get 22
    i32.const 1
    i32.const 0
    i32.load offset=1156 align=1
    i32.sub
    i32.const 0
    i32.const 0
    i32.load offset=1152 align=1
    select
    i32.or
    if ;; label = @1
      i32.const 1
      return
    end
    i32.const 0
    return
    unreachable
  )
)
