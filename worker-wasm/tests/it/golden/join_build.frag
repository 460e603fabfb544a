; The table of a join: orders of one customer segment and before a date, as in TPC-H Q3.
(fragment
  (input (column int64) (column int64) (column date32) (column int32))
  (params (param date32))
  (pipeline (input 0)
    (filter (lt c2 p0))
    (join right-semi (table (keys 0) (column int64)) (keys c1))
    (project c0 c2 c3)
    (build 0)))

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
    unreachable
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
    i64.const 11
    i64.store offset=632 align=1
    i32.const 0
    v128.const i32x4 0xffffffff 0xffffffff 0xffffffff 0xffffffff
    v128.store offset=1104 align=1
    i32.const 0
    v128.const i32x4 0x03020100 0xffffffff 0xffffffff 0xffffffff
    v128.store offset=1120 align=1
    i32.const 0
    v128.const i32x4 0x07060504 0xffffffff 0xffffffff 0xffffffff
    v128.store offset=1136 align=1
    i32.const 0
    v128.const i32x4 0x03020100 0x07060504 0xffffffff 0xffffffff
    v128.store offset=1152 align=1
    i32.const 0
    v128.const i32x4 0x0b0a0908 0xffffffff 0xffffffff 0xffffffff
    v128.store offset=1168 align=1
    i32.const 0
    v128.const i32x4 0x03020100 0x0b0a0908 0xffffffff 0xffffffff
    v128.store offset=1184 align=1
    i32.const 0
    v128.const i32x4 0x07060504 0x0b0a0908 0xffffffff 0xffffffff
    v128.store offset=1200 align=1
    i32.const 0
    v128.const i32x4 0x03020100 0x07060504 0x0b0a0908 0xffffffff
    v128.store offset=1216 align=1
    i32.const 0
    v128.const i32x4 0x0f0e0d0c 0xffffffff 0xffffffff 0xffffffff
    v128.store offset=1232 align=1
    i32.const 0
    v128.const i32x4 0x03020100 0x0f0e0d0c 0xffffffff 0xffffffff
    v128.store offset=1248 align=1
    i32.const 0
    v128.const i32x4 0x07060504 0x0f0e0d0c 0xffffffff 0xffffffff
    v128.store offset=1264 align=1
    i32.const 0
    v128.const i32x4 0x03020100 0x07060504 0x0f0e0d0c 0xffffffff
    v128.store offset=1280 align=1
    i32.const 0
    v128.const i32x4 0x0b0a0908 0x0f0e0d0c 0xffffffff 0xffffffff
    v128.store offset=1296 align=1
    i32.const 0
    v128.const i32x4 0x03020100 0x0b0a0908 0x0f0e0d0c 0xffffffff
    v128.store offset=1312 align=1
    i32.const 0
    v128.const i32x4 0x07060504 0x0b0a0908 0x0f0e0d0c 0xffffffff
    v128.store offset=1328 align=1
    i32.const 0
    v128.const i32x4 0x03020100 0x07060504 0x0b0a0908 0x0f0e0d0c
    v128.store offset=1344 align=1
    i32.const 0
    return
    unreachable
  )
  (func (;16;) (type 16) (param i32) (result i32)
    (local i32 i32 i32 i32 i32 i32 i32 i32 i32 i64 i64 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 v128 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i64 i64 i64 i32 i32 i64 i32 i32 i64 i64 i32 i64 i32 i32 i32 i32 i64 i64 i64 i32 i32 i64 i64 i32 i64 i32 i32 i64 i64 i32 i64 i32 i32 i32 i32 i64 i64 i64 i32 i32 i64 i64 i32 i32 i32 i32 i64 i32 i64 i64 i32 i32 i64 i64 i64 i32 i32 i32 i64 i32)
    i32.const 0
    i32.load offset=1024 align=1
    local.set 1
    i32.const 1024
    local.set 2
    local.get 2
    i32.const 0
    i32.load offset=1440 align=1
    i32.gt_u
    if ;; label = @1
      local.get 2
      i32.const 63
      i32.add
      i32.const -64
      i32.and
      local.set 3
      local.get 3
      i32.const 12
      i32.mul
      call 4
      local.set 4
      local.get 4
      i32.eqz
      if ;; label = @2
        i32.const 2
        return
      end
      i32.const 0
      local.get 4
      i32.store offset=1444 align=1
      i32.const 0
      local.get 3
      i32.store offset=1440 align=1
    end
    i32.const 0
    i32.load offset=96 align=1
    local.set 5
    local.get 5
    local.get 5
    i32.load offset=4 align=1
    i32.add
    local.set 6
    local.get 5
    i32.load offset=8 align=1
    local.set 7
    local.get 5
    local.get 5
    i32.load offset=12 align=1
    i32.add
    local.set 8
    local.get 5
    i32.load offset=16 align=1
    local.set 9
    local.get 5
    i64.load offset=32 align=1
    local.set 10
    local.get 5
    i64.load offset=24 align=1
    local.set 11
    i32.const 0
    i32.load offset=1392 align=1
    local.set 12
    i32.const 0
    i32.load offset=1396 align=1
    local.set 13
    i32.const 0
    i32.load offset=1400 align=1
    local.set 14
    i32.const 0
    local.set 15
    i32.const 0
    i32.load offset=1416 align=1
    local.set 16
    i32.const 8
    local.set 17
    local.get 0
    i32.const 0
    i32.load offset=1360 align=1
    i32.gt_u
    if ;; label = @1
      local.get 0
      i32.const 63
      i32.add
      i32.const -64
      i32.and
      local.set 18
      local.get 18
      i32.const 4
      i32.mul
      call 4
      local.set 19
      local.get 19
      i32.eqz
      if ;; label = @2
        i32.const 2
        return
      end
      i32.const 0
      local.get 19
      i32.store offset=1364 align=1
      i32.const 0
      local.get 18
      i32.store offset=1360 align=1
    end
    i32.const 0
    i32.load offset=1364 align=1
    i32.const 0
    i32.load offset=1360 align=1
    i32.const 0
    i32.mul
    i32.add
    local.set 20
    i32.const 0
    local.set 21
    i32.const 0
    i32.load offset=1088 align=1
    i32.eqz
    if ;; label = @1
      i32.const 0
      i32.load offset=64 align=1
      local.set 22
      local.get 22
      i32.load align=1
      local.set 23
      local.get 22
      i32.load offset=32 align=1
      local.set 24
      local.get 22
      i32.load offset=64 align=1
      local.set 25
      local.get 22
      i32.load offset=96 align=1
      local.set 26
      i32.const 0
      i32.load offset=628 align=1
      i32.const -1
      i32.eq
      local.set 28
      i32.const 0
      i32.const 0
      i32.load offset=628 align=1
      local.get 28
      select
      local.set 29
      i32.const 0
      i32.load offset=1376 align=1
      i32.const 0
      local.get 29
      select
      local.set 21
      local.get 29
      i32.const 0
      i32.eq
      if ;; label = @2
        local.get 1
        i32x4.splat
        local.set 30
        i32.const 0
        local.set 27
        i32.const 0
        local.set 21
        block ;; label = @3
          loop ;; label = @4
            local.get 0
            local.get 27
            i32.le_u
            br_if 1 (;@3;)
            local.get 25
            local.get 27
            i32.const 4
            i32.mul
            i32.add
            v128.load align=1
            local.get 30
            i32x4.lt_s
            local.get 25
            local.get 27
            i32.const 4
            i32.mul
            i32.add
            v128.load offset=16 align=1
            local.get 30
            i32x4.lt_s
            i16x8.narrow_i32x4_s
            local.get 25
            local.get 27
            i32.const 4
            i32.mul
            i32.add
            v128.load offset=32 align=1
            local.get 30
            i32x4.lt_s
            local.get 25
            local.get 27
            i32.const 4
            i32.mul
            i32.add
            v128.load offset=48 align=1
            local.get 30
            i32x4.lt_s
            i16x8.narrow_i32x4_s
            i8x16.narrow_i16x8_s
            i8x16.bitmask
            local.set 31
            local.get 0
            local.get 27
            i32.sub
            local.set 32
            local.get 31
            i32.const 1
            local.get 32
            i32.shl
            i32.const 1
            i32.sub
            i32.const 65535
            local.get 32
            i32.const 16
            i32.lt_u
            select
            i32.and
            local.set 31
            local.get 31
            if ;; label = @5
              local.get 20
              local.get 21
              i32.const 2
              i32.shl
              i32.add
              local.set 33
              local.get 31
              i32.const 0
              i32.shr_u
              i32.const 15
              i32.and
              local.set 34
              local.get 33
              local.get 27
              i32x4.splat
              v128.const i32x4 0x00000000 0x00000001 0x00000002 0x00000003
              i32x4.add
              local.get 34
              i32.const 4
              i32.shl
              v128.load offset=1104 align=1
              i8x16.swizzle
              v128.store align=1
              local.get 33
              local.get 34
              i32.popcnt
              i32.const 2
              i32.shl
              i32.add
              local.set 33
              local.get 31
              i32.const 4
              i32.shr_u
              i32.const 15
              i32.and
              local.set 35
              local.get 33
              local.get 27
              i32x4.splat
              v128.const i32x4 0x00000004 0x00000005 0x00000006 0x00000007
              i32x4.add
              local.get 35
              i32.const 4
              i32.shl
              v128.load offset=1104 align=1
              i8x16.swizzle
              v128.store align=1
              local.get 33
              local.get 35
              i32.popcnt
              i32.const 2
              i32.shl
              i32.add
              local.set 33
              local.get 31
              i32.const 8
              i32.shr_u
              i32.const 15
              i32.and
              local.set 36
              local.get 33
              local.get 27
              i32x4.splat
              v128.const i32x4 0x00000008 0x00000009 0x0000000a 0x0000000b
              i32x4.add
              local.get 36
              i32.const 4
              i32.shl
              v128.load offset=1104 align=1
              i8x16.swizzle
              v128.store align=1
              local.get 33
              local.get 36
              i32.popcnt
              i32.const 2
              i32.shl
              i32.add
              local.set 33
              local.get 31
              i32.const 12
              i32.shr_u
              i32.const 15
              i32.and
              local.set 37
              local.get 33
              local.get 27
              i32x4.splat
              v128.const i32x4 0x0000000c 0x0000000d 0x0000000e 0x0000000f
              i32x4.add
              local.get 37
              i32.const 4
              i32.shl
              v128.load offset=1104 align=1
              i8x16.swizzle
              v128.store align=1
              local.get 33
              local.get 37
              i32.popcnt
              i32.const 2
              i32.shl
              i32.add
              local.set 33
              local.get 33
              local.get 20
              i32.sub
              i32.const 2
              i32.shr_u
              local.set 21
            end
            local.get 27
            i32.const 16
            i32.add
            local.set 27
            br 0 (;@4;)
          end
        end
        i32.const 0
        local.get 21
        i32.store offset=1376 align=1
        i32.const 1
        local.set 29
        local.get 21
        i32.const 0
        i32.gt_u
        local.get 28
        i32.eqz
        i32.and
        if ;; label = @3
          i32.const 0
          i64.const 2
          i64.store offset=608 align=1
          i32.const 0
          local.get 20
          i32.store offset=616 align=1
          i32.const 0
          i32.const 4
          i32.store offset=620 align=1
          i32.const 0
          local.get 21
          i32.store offset=624 align=1
          i32.const 4
          return
        end
      end
    end
    i32.const 0
    i32.load offset=1092 align=1
    local.get 21
    i32.const 0
    i32.load offset=1088 align=1
    select
    local.set 38
    i32.const 0
    i32.load offset=1088 align=1
    local.set 39
    i32.const 0
    i32.load offset=64 align=1
    local.set 40
    local.get 40
    i32.load align=1
    local.set 41
    local.get 40
    i32.load offset=32 align=1
    local.set 42
    local.get 40
    i32.load offset=64 align=1
    local.set 43
    local.get 40
    i32.load offset=96 align=1
    local.set 44
    i32.const 0
    i32.load offset=1444 align=1
    i32.const 0
    i32.load offset=1440 align=1
    i32.const 0
    i32.mul
    i32.add
    local.set 46
    i32.const 0
    i32.load offset=1408 align=1
    local.set 47
    i32.const 0
    i32.load offset=1412 align=1
    local.set 48
    block ;; label = @1
      loop ;; label = @2
        local.get 47
        local.get 48
        i32.le_u
        if ;; label = @3
          local.get 38
          local.get 39
          i32.le_u
          br_if 2 (;@1;)
          local.get 38
          local.get 39
          i32.sub
          local.set 49
          local.get 39
          local.get 49
          i32.const 1024
          local.get 49
          i32.const 1024
          i32.lt_u
          select
          i32.add
          local.set 50
          local.get 39
          local.set 51
          local.get 46
          local.set 52
          local.get 11
          i64.const 0
          i64.ne
          if ;; label = @4
            local.get 51
            local.get 50
            i32.lt_u
            if ;; label = @5
              loop ;; label = @6
                local.get 20
                local.get 51
                i32.const 2
                i32.shl
                i32.add
                i32.load align=1
                local.set 45
                local.get 42
                local.get 45
                i32.const 8
                i32.mul
                i32.add
                i64.load align=1
                local.set 53
                local.get 53
                local.set 54
                local.get 54
                local.get 10
                i64.sub
                local.set 55
                local.get 55
                local.get 11
                local.get 55
                local.get 11
                i64.lt_u
                select
                local.set 55
                local.get 5
                local.get 55
                i64.const 6
                i64.shr_u
                i32.wrap_i64
                i32.const 16
                i32.mul
                i32.add
                local.set 56
                local.get 52
                local.get 45
                i32.store align=1
                local.get 52
                local.get 56
                i64.load offset=64 align=1
                local.get 55
                i64.shr_u
                i32.wrap_i64
                i32.const 1
                i32.and
                i32.const 12
                i32.mul
                i32.add
                local.set 52
                local.get 51
                i32.const 1
                i32.add
                local.set 51
                local.get 51
                local.get 50
                i32.lt_u
                br_if 0 (;@6;)
              end
            end
            local.get 46
            local.set 57
            local.get 57
            local.get 52
            i32.lt_u
            if ;; label = @5
              loop ;; label = @6
                local.get 57
                i32.load align=1
                local.set 45
                local.get 42
                local.get 45
                i32.const 8
                i32.mul
                i32.add
                i64.load align=1
                local.set 58
                local.get 11
                i64.const 0
                i64.ne
                if ;; label = @7
                  local.get 58
                  local.set 61
                  local.get 61
                  local.get 10
                  i64.sub
                  local.set 62
                  local.get 62
                  local.get 11
                  local.get 62
                  local.get 11
                  i64.lt_u
                  select
                  local.set 62
                  local.get 5
                  local.get 62
                  i64.const 6
                  i64.shr_u
                  i32.wrap_i64
                  i32.const 16
                  i32.mul
                  i32.add
                  local.set 63
                  local.get 63
                  i64.load offset=64 align=1
                  local.get 62
                  i64.const -1
                  i64.xor
                  i64.shl
                  local.set 64
                  local.get 63
                  i32.load offset=72 align=1
                  local.get 64
                  i64.popcnt
                  i32.wrap_i64
                  i32.add
                  i32.const 1
                  i32.sub
                  local.set 65
                  local.get 64
                  i64.const 0
                  i64.lt_s
                  local.set 66
                  local.get 9
                  if ;; label = @8
                    local.get 8
                    local.get 65
                    i32.const 3
                    i32.shl
                    i32.add
                    local.set 67
                    local.get 67
                    i32.load align=1
                    local.set 59
                    local.get 67
                    i32.load offset=8 align=1
                    local.set 68
                    local.get 5
                    local.get 68
                    local.get 59
                    local.get 66
                    select
                    i32.add
                    local.set 60
                    local.get 5
                    local.get 59
                    i32.add
                    local.set 59
                  else
                    local.get 6
                    local.get 65
                    i32.const 16
                    i32.mul
                    i32.add
                    local.set 59
                    local.get 59
                    i32.const 16
                    i32.add
                    local.get 59
                    local.get 66
                    select
                    local.set 60
                  end
                else
                  i64.const 2685821657736338717
                  local.set 69
                  local.get 69
                  local.get 58
                  i64.xor
                  i64.const -7046029254386353131
                  i64.mul_wide_u
                  local.set 71
                  local.set 70
                  local.get 70
                  local.get 71
                  i64.xor
                  local.set 69
                  local.get 69
                  i32.wrap_i64
                  local.set 72
                  local.get 8
                  local.get 72
                  local.get 7
                  i32.shr_u
                  i32.const 3
                  i32.shl
                  i32.add
                  local.set 73
                  local.get 73
                  i64.load offset=8 align=1
                  local.set 74
                  i64.const 1
                  local.get 72
                  i32.const 0
                  i32.shr_u
                  i32.const 15
                  i32.and
                  i64.extend_i32_u
                  i64.shl
                  i64.const 1
                  local.get 72
                  i32.const 4
                  i32.shr_u
                  i32.const 15
                  i32.and
                  i64.extend_i32_u
                  i64.shl
                  i64.or
                  i64.const 32
                  i64.shl
                  local.set 75
                  local.get 73
                  i32.load align=1
                  local.set 59
                  local.get 73
                  i32.load offset=8 align=1
                  local.set 76
                  local.get 5
                  local.get 76
                  local.get 59
                  local.get 74
                  local.get 75
                  i64.and
                  local.get 75
                  i64.eq
                  select
                  i32.add
                  local.set 60
                  local.get 5
                  local.get 59
                  i32.add
                  local.set 59
                end
                local.get 57
                local.get 59
                i32.store offset=4 align=1
                local.get 57
                local.get 60
                i32.store offset=8 align=1
                local.get 57
                i32.const 12
                i32.add
                local.set 57
                local.get 57
                local.get 52
                i32.lt_u
                br_if 0 (;@6;)
              end
            end
          else
            local.get 51
            local.get 50
            i32.lt_u
            if ;; label = @5
              loop ;; label = @6
                local.get 20
                local.get 51
                i32.const 2
                i32.shl
                i32.add
                i32.load align=1
                local.set 45
                local.get 42
                local.get 45
                i32.const 8
                i32.mul
                i32.add
                i64.load align=1
                local.set 77
                local.get 11
                i64.const 0
                i64.ne
                if ;; label = @7
                  local.get 77
                  local.set 80
                  local.get 80
                  local.get 10
                  i64.sub
                  local.set 81
                  local.get 81
                  local.get 11
                  local.get 81
                  local.get 11
                  i64.lt_u
                  select
                  local.set 81
                  local.get 5
                  local.get 81
                  i64.const 6
                  i64.shr_u
                  i32.wrap_i64
                  i32.const 16
                  i32.mul
                  i32.add
                  local.set 82
                  local.get 82
                  i64.load offset=64 align=1
                  local.get 81
                  i64.const -1
                  i64.xor
                  i64.shl
                  local.set 83
                  local.get 82
                  i32.load offset=72 align=1
                  local.get 83
                  i64.popcnt
                  i32.wrap_i64
                  i32.add
                  i32.const 1
                  i32.sub
                  local.set 84
                  local.get 83
                  i64.const 0
                  i64.lt_s
                  local.set 85
                  local.get 9
                  if ;; label = @8
                    local.get 8
                    local.get 84
                    i32.const 3
                    i32.shl
                    i32.add
                    local.set 86
                    local.get 86
                    i32.load align=1
                    local.set 78
                    local.get 86
                    i32.load offset=8 align=1
                    local.set 87
                    local.get 5
                    local.get 87
                    local.get 78
                    local.get 85
                    select
                    i32.add
                    local.set 79
                    local.get 5
                    local.get 78
                    i32.add
                    local.set 78
                  else
                    local.get 6
                    local.get 84
                    i32.const 16
                    i32.mul
                    i32.add
                    local.set 78
                    local.get 78
                    i32.const 16
                    i32.add
                    local.get 78
                    local.get 85
                    select
                    local.set 79
                  end
                else
                  i64.const 2685821657736338717
                  local.set 88
                  local.get 88
                  local.get 77
                  i64.xor
                  i64.const -7046029254386353131
                  i64.mul_wide_u
                  local.set 90
                  local.set 89
                  local.get 89
                  local.get 90
                  i64.xor
                  local.set 88
                  local.get 88
                  i32.wrap_i64
                  local.set 91
                  local.get 8
                  local.get 91
                  local.get 7
                  i32.shr_u
                  i32.const 3
                  i32.shl
                  i32.add
                  local.set 92
                  local.get 92
                  i64.load offset=8 align=1
                  local.set 93
                  i64.const 1
                  local.get 91
                  i32.const 0
                  i32.shr_u
                  i32.const 15
                  i32.and
                  i64.extend_i32_u
                  i64.shl
                  i64.const 1
                  local.get 91
                  i32.const 4
                  i32.shr_u
                  i32.const 15
                  i32.and
                  i64.extend_i32_u
                  i64.shl
                  i64.or
                  i64.const 32
                  i64.shl
                  local.set 94
                  local.get 92
                  i32.load align=1
                  local.set 78
                  local.get 92
                  i32.load offset=8 align=1
                  local.set 95
                  local.get 5
                  local.get 95
                  local.get 78
                  local.get 93
                  local.get 94
                  i64.and
                  local.get 94
                  i64.eq
                  select
                  i32.add
                  local.set 79
                  local.get 5
                  local.get 78
                  i32.add
                  local.set 78
                end
                local.get 52
                local.get 45
                i32.store align=1
                local.get 52
                local.get 78
                i32.store offset=4 align=1
                local.get 52
                local.get 79
                i32.store offset=8 align=1
                local.get 52
                local.get 78
                local.get 79
                i32.lt_u
                i32.const 12
                i32.mul
                i32.add
                local.set 52
                local.get 51
                i32.const 1
                i32.add
                local.set 51
                local.get 51
                local.get 50
                i32.lt_u
                br_if 0 (;@6;)
              end
            end
          end
          local.get 51
          local.set 39
          local.get 52
          local.get 46
          i32.sub
          i32.const 12
          i32.div_u
          local.set 47
          i32.const 0
          local.set 48
          i32.const 0
          i32.const 0
          i32.store offset=1432 align=1
        end
        i32.const 0
        local.get 39
        i32.store offset=1088 align=1
        i32.const 0
        local.get 38
        i32.store offset=1092 align=1
        i32.const 0
        local.get 47
        i32.store offset=1408 align=1
        i32.const 0
        local.get 48
        i32.store offset=1412 align=1
        i32.const 0
        i32.load offset=1432 align=1
        i32.eqz
        i32.const 0
        i32.load offset=628 align=1
        i32.const -1
        i32.eq
        i32.eqz
        i32.and
        local.get 47
        i32.const 0
        i32.gt_u
        i32.and
        if ;; label = @3
          i32.const 0
          local.get 16
          i32.store offset=1416 align=1
          i32.const 0
          local.get 12
          i32.store offset=1392 align=1
          i32.const 0
          local.get 13
          i32.store offset=1396 align=1
          i32.const 0
          local.get 14
          i32.store offset=1400 align=1
          i32.const 0
          i32.const 1
          i32.store offset=1432 align=1
          i32.const 0
          i64.const 9
          i64.store offset=608 align=1
          i32.const 0
          local.get 46
          i32.store offset=616 align=1
          i32.const 0
          i32.const 12
          i32.store offset=620 align=1
          i32.const 0
          local.get 47
          i32.store offset=624 align=1
          i32.const 4
          return
        end
        i32.const 0
        local.get 16
        i32.store offset=1416 align=1
        i32.const 0
        local.get 12
        i32.store offset=1392 align=1
        i32.const 0
        local.get 13
        i32.store offset=1396 align=1
        i32.const 0
        local.get 14
        i32.store offset=1400 align=1
        local.get 17
        i32.eqz
        if ;; label = @3
          i32.const 1
          return
        end
        i32.const 0
        i32.load offset=696 align=1
        i32.eqz
        if ;; label = @3
          i32.const 524288
          call 4
          local.set 96
          local.get 96
          i32.eqz
          if ;; label = @4
            i32.const 2
            return
          end
          i32.const 0
          local.get 96
          i32.store offset=696 align=1
        end
        i32.const 0
        i32.load offset=700 align=1
        i32.const 0
        i32.load offset=704 align=1
        i32.const 1024
        i32.add
        i32.lt_u
        if ;; label = @3
          i32.const 24576
          call 4
          local.set 97
          local.get 97
          i32.eqz
          if ;; label = @4
            i32.const 2
            return
          end
          i32.const 0
          i32.load offset=696 align=1
          i32.const 0
          i32.load offset=700 align=1
          i32.const 10
          i32.shr_u
          i32.const 2
          i32.shl
          i32.add
          local.get 97
          i32.store align=1
          i32.const 0
          i32.const 0
          i32.load offset=700 align=1
          i32.const 1024
          i32.add
          i32.store offset=700 align=1
        end
        i32.const 1024
        local.set 15
        local.get 17
        i32.const 1
        i32.sub
        local.set 17
        block ;; label = @3
          loop ;; label = @4
            local.get 47
            local.get 48
            i32.le_u
            br_if 1 (;@3;)
            local.get 46
            local.get 48
            i32.const 12
            i32.mul
            i32.add
            local.set 98
            local.get 16
            i32.eqz
            if ;; label = @5
              local.get 15
              i32.const 0
              i32.le_s
              br_if 2 (;@3;)
              local.get 15
              i32.const 1
              i32.sub
              local.set 15
              local.get 98
              i32.load offset=4 align=1
              local.set 12
              local.get 98
              i32.load offset=8 align=1
              local.set 13
              i32.const 0
              local.set 14
            end
            local.get 98
            i32.load align=1
            local.set 45
            local.get 42
            local.get 45
            i32.const 8
            i32.mul
            i32.add
            i64.load align=1
            local.set 99
            block ;; label = @5
              local.get 14
              br_if 0 (;@5;)
              block ;; label = @6
                loop ;; label = @7
                  local.get 13
                  local.get 12
                  i32.le_u
                  br_if 1 (;@6;)
                  local.get 16
                  i32.const 1
                  i32.eq
                  if ;; label = @8
                    i32.const 0
                    local.set 16
                  end
                  local.get 16
                  i32.eqz
                  if ;; label = @8
                    local.get 15
                    i32.const 0
                    i32.le_s
                    if ;; label = @9
                      i32.const 1
                      local.set 16
                      br 6 (;@3;)
                    end
                    local.get 15
                    i32.const 1
                    i32.sub
                    local.set 15
                  end
                  i32.const 1
                  local.set 100
                  local.get 11
                  i64.const 0
                  i64.ne
                  i32.eqz
                  if ;; label = @8
                    local.get 12
                    i64.load offset=8 align=1
                    local.set 101
                    local.get 100
                    local.get 101
                    local.get 99
                    i64.eq
                    i32.and
                    local.set 100
                  end
                  local.get 100
                  if ;; label = @8
                    i32.const 1
                    local.set 14
                    br 3 (;@5;)
                  end
                  local.get 12
                  i32.const 16
                  i32.add
                  local.set 12
                  br 0 (;@7;)
                end
              end
            end
            local.get 14
            if ;; label = @5
              local.get 41
              local.get 45
              i32.const 8
              i32.mul
              i32.add
              i64.load align=1
              local.set 102
              local.get 43
              local.get 45
              i32.const 4
              i32.mul
              i32.add
              i32.load align=1
              local.set 103
              local.get 44
              local.get 45
              i32.const 4
              i32.mul
              i32.add
              i32.load align=1
              local.set 104
              i64.const 2685821657736338717
              local.set 105
              local.get 105
              local.get 102
              i64.xor
              i64.const -7046029254386353131
              i64.mul_wide_u
              local.set 107
              local.set 106
              local.get 106
              local.get 107
              i64.xor
              local.set 105
              local.get 105
              i32.wrap_i64
              local.set 108
              i32.const 0
              i32.load offset=704 align=1
              local.set 109
              i32.const 0
              i32.load offset=696 align=1
              local.get 109
              i32.const 10
              i32.shr_u
              i32.const 2
              i32.shl
              i32.add
              i32.load align=1
              local.get 109
              i32.const 1023
              i32.and
              i32.const 24
              i32.mul
              i32.add
              local.set 110
              local.get 110
              local.get 108
              i32.store align=1
              local.get 110
              local.get 102
              i64.store offset=16 align=1
              local.get 110
              local.get 103
              i32.store offset=4 align=1
              local.get 110
              local.get 104
              i32.store offset=8 align=1
              local.get 102
              local.set 111
              local.get 109
              i32.eqz
              local.set 112
              local.get 112
              local.get 111
              i32.const 0
              i64.load offset=712 align=1
              i64.lt_s
              i32.or
              if ;; label = @6
                i32.const 0
                local.get 111
                i64.store offset=712 align=1
              end
              local.get 112
              i32.const 0
              i64.load offset=720 align=1
              local.get 111
              i64.lt_s
              i32.or
              if ;; label = @6
                i32.const 0
                local.get 111
                i64.store offset=720 align=1
              end
              i32.const 0
              local.get 109
              i32.const 1
              i32.add
              i32.store offset=704 align=1
            end
            local.get 48
            i32.const 1
            i32.add
            local.set 48
            br 0 (;@4;)
          end
        end
        br 0 (;@2;)
      end
    end
    i32.const 0
    i32.const 0
    i32.store offset=1088 align=1
    i32.const 0
    i32.const 0
    i32.store offset=1408 align=1
    i32.const 0
    i32.const 0
    i32.store offset=1412 align=1
    i32.const 0
    i32.const 0
    i32.store offset=1416 align=1
    i32.const 0
    i32.const 0
    i32.store offset=1420 align=1
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
    (local i32 i32 i32 i32 i32 i32 i64 i64 i32 i32 i32 i32 i32 i32 i32 i64 i64 i64 i64 i32 i32 i32 i32 i32 i32 i32 i64 i64 i32 i32 i32 i32 i32 i64 i64 i64 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i64 i64 i32 i32 i32 i32 i32 i32 i32 i32 i64 i64 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i64 i32 i32 i64 i64 i32 i64 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i64 i32 i32 i32 i64 i64 i32 i64 i32 i32 i32 i32 i64 i64 i32 i64 i32 i32)
    i32.const 0
    i32.load offset=1456 align=1
    i32.const 0
    i32.eq
    if ;; label = @1
      i32.const 0
      i32.const 1
      i32.store offset=1424 align=1
      i32.const 0
      i32.load offset=1024 align=1
      local.set 0
      i32.const 0
      i32.load offset=96 align=1
      local.set 1
      local.get 1
      local.get 1
      i32.load offset=4 align=1
      i32.add
      local.set 2
      local.get 1
      i32.load offset=8 align=1
      local.set 3
      local.get 1
      local.get 1
      i32.load offset=12 align=1
      i32.add
      local.set 4
      local.get 1
      i32.load offset=16 align=1
      local.set 5
      local.get 1
      i64.load offset=32 align=1
      local.set 6
      local.get 1
      i64.load offset=24 align=1
      local.set 7
      i32.const 0
      i32.load offset=1392 align=1
      local.set 8
      i32.const 0
      i32.load offset=1396 align=1
      local.set 9
      i32.const 0
      i32.load offset=1400 align=1
      local.set 10
      i32.const 0
      local.set 11
      i32.const 0
      i32.load offset=1416 align=1
      local.set 12
      i32.const 8
      local.set 13
      i32.const 0
      i32.const 1
      i32.store offset=1456 align=1
    end
    i32.const 0
    i32.load offset=1456 align=1
    i32.const 1
    i32.eq
    if ;; label = @1
      i32.const 0
      i32.load offset=752 align=1
      i32.const 1
      i32.and
      i32.eqz
      if ;; label = @2
        i32.const 0
        i32.load offset=704 align=1
        i32.const 0
        i32.load offset=736 align=1
        i32.add
        local.set 14
        i32.const 0
        i64.load offset=712 align=1
        local.set 15
        i32.const 0
        i64.load offset=720 align=1
        local.set 16
        local.get 16
        local.get 15
        i64.sub
        i64.const 1
        i64.add
        local.set 17
        local.get 17
        i64.const 0
        local.get 17
        local.get 14
        i64.extend_i32_u
        i64.const 64
        i64.mul
        i64.const 524288
        i64.add
        i64.le_u
        local.get 17
        i64.const 8589934592
        i64.le_u
        i32.and
        local.get 14
        i32.const 0
        i32.gt_u
        i32.and
        select
        local.set 18
        i32.const 0
        i64.const 0
        local.get 18
        i32.const 0
        i32.load offset=708 align=1
        select
        i64.store offset=744 align=1
        i32.const 0
        i64.load offset=744 align=1
        i64.const 0
        i64.ne
        if ;; label = @3
          i32.const 0
          i64.load offset=744 align=1
          i64.const 6
          i64.shr_u
          i32.wrap_i64
          i32.const 0
          i64.load offset=744 align=1
          i64.const 0
          i64.ne
          i32.add
          i32.const 16
          i32.mul
          i32.const 64
          i32.add
          local.set 19
          i32.const 0
          i32.load offset=44 align=1
          local.get 19
          i32.lt_u
          if ;; label = @4
            i32.const 0
            local.get 19
            i32.store offset=40 align=1
            i32.const 2
            return
          end
        end
        i32.const 0
        i32.const 0
        i32.load offset=752 align=1
        i32.const 1
        i32.or
        i32.store offset=752 align=1
        i32.const 0
        i32.const 0
        i32.store offset=1056 align=1
      end
      i32.const 0
      i32.load offset=752 align=1
      i32.const 2
      i32.and
      i32.eqz
      if ;; label = @2
        i32.const 0
        i32.load offset=20 align=1
        i32.const 64
        i32.add
        local.set 20
        i32.const 0
        i64.load offset=744 align=1
        i64.const 6
        i64.shr_u
        i32.wrap_i64
        i32.const 0
        i64.load offset=744 align=1
        i64.const 0
        i64.ne
        i32.add
        i32.const 16
        i32.mul
        local.set 21
        i32.const 0
        i32.load offset=1056 align=1
        local.set 22
        local.get 21
        local.get 22
        i32.sub
        local.set 23
        local.get 23
        i32.const 4194304
        local.get 23
        i32.const 4194304
        i32.lt_u
        select
        local.set 24
        local.get 20
        local.get 22
        i32.add
        i32.const 0
        local.get 24
        memory.fill
        i32.const 0
        local.get 22
        local.get 24
        i32.add
        i32.store offset=1056 align=1
        local.get 24
        local.get 23
        i32.lt_u
        if ;; label = @3
          i32.const 1
          return
        end
        i32.const 0
        i32.const 0
        i32.load offset=752 align=1
        i32.const 2
        i32.or
        i32.store offset=752 align=1
        i32.const 0
        i32.const 0
        i32.store offset=1056 align=1
      end
      i32.const 0
      i32.load offset=752 align=1
      i32.const 4
      i32.and
      i32.eqz
      if ;; label = @2
        i32.const 0
        i64.load offset=744 align=1
        i64.const 0
        i64.ne
        if ;; label = @3
          i32.const 0
          i32.load offset=20 align=1
          local.set 25
          i32.const 0
          i64.load offset=712 align=1
          local.set 26
          i32.const 0
          i64.load offset=720 align=1
          local.set 27
          i32.const 0
          i32.load offset=1056 align=1
          local.set 28
          i32.const 0
          i32.load offset=704 align=1
          local.set 29
          local.get 29
          local.get 28
          i32.sub
          local.set 30
          local.get 28
          local.get 30
          i32.const 8192
          local.get 30
          i32.const 8192
          i32.lt_u
          select
          i32.add
          local.set 31
          local.get 28
          local.get 31
          i32.lt_u
          if ;; label = @4
            loop ;; label = @5
              i32.const 0
              i32.load offset=696 align=1
              local.get 28
              i32.const 10
              i32.shr_u
              i32.const 2
              i32.shl
              i32.add
              i32.load align=1
              local.get 28
              i32.const 1023
              i32.and
              i32.const 24
              i32.mul
              i32.add
              local.set 32
              local.get 32
              i64.load offset=16 align=1
              local.set 33
              local.get 33
              local.set 34
              local.get 34
              local.get 26
              i64.sub
              local.set 35
              local.get 25
              local.get 35
              i64.const 6
              i64.shr_u
              i32.wrap_i64
              i32.const 16
              i32.mul
              i32.add
              local.set 36
              local.get 36
              local.get 36
              i64.load offset=64 align=1
              i64.const 1
              local.get 35
              i64.shl
              i64.or
              i64.store offset=64 align=1
              local.get 28
              i32.const 1
              i32.add
              local.set 28
              local.get 28
              local.get 31
              i32.lt_u
              br_if 0 (;@5;)
            end
          end
          i32.const 0
          local.get 31
          i32.store offset=1056 align=1
          local.get 31
          local.get 29
          i32.lt_u
          if ;; label = @4
            i32.const 1
            return
          end
        end
        i32.const 0
        i32.const 0
        i32.load offset=752 align=1
        i32.const 4
        i32.or
        i32.store offset=752 align=1
        i32.const 0
        i32.const 0
        i32.store offset=1056 align=1
      end
      i32.const 0
      i32.load offset=752 align=1
      i32.const 8
      i32.and
      i32.eqz
      if ;; label = @2
        i32.const 0
        i32.load offset=20 align=1
        local.set 37
        i32.const 0
        i32.load offset=1072 align=1
        local.set 38
        i32.const 0
        i32.load offset=1056 align=1
        local.set 39
        i32.const 0
        i64.load offset=744 align=1
        i64.const 6
        i64.shr_u
        i32.wrap_i64
        i32.const 0
        i64.load offset=744 align=1
        i64.const 0
        i64.ne
        i32.add
        local.set 40
        local.get 40
        local.get 39
        i32.sub
        local.set 41
        local.get 39
        local.get 41
        i32.const 262144
        local.get 41
        i32.const 262144
        i32.lt_u
        select
        i32.add
        local.set 42
        local.get 39
        local.get 42
        i32.lt_u
        if ;; label = @3
          loop ;; label = @4
            local.get 37
            local.get 39
            i32.const 16
            i32.mul
            i32.add
            local.set 43
            local.get 43
            local.get 38
            i32.store offset=72 align=1
            local.get 38
            local.get 43
            i64.load offset=64 align=1
            i64.popcnt
            i32.wrap_i64
            i32.add
            local.set 38
            local.get 39
            i32.const 1
            i32.add
            local.set 39
            local.get 39
            local.get 42
            i32.lt_u
            br_if 0 (;@4;)
          end
        end
        i32.const 0
        local.get 42
        i32.store offset=1056 align=1
        i32.const 0
        local.get 38
        i32.store offset=1072 align=1
        local.get 42
        local.get 40
        i32.lt_u
        if ;; label = @3
          i32.const 1
          return
        end
        i32.const 0
        i32.const 0
        i32.load offset=752 align=1
        i32.const 8
        i32.or
        i32.store offset=752 align=1
        i32.const 0
        i32.const 0
        i32.store offset=1056 align=1
      end
      i32.const 0
      i32.load offset=752 align=1
      i32.const 16
      i32.and
      i32.eqz
      if ;; label = @2
        i32.const 0
        i32.load offset=704 align=1
        i32.const 0
        i32.load offset=736 align=1
        i32.add
        local.set 44
        local.get 44
        i32.const 15
        i32.or
        i32.clz
        local.set 45
        i32.const 1
        i32.const 32
        local.get 45
        i32.sub
        i32.shl
        local.set 46
        i32.const 64
        local.set 47
        i32.const 0
        i64.load offset=744 align=1
        i64.const 0
        i64.ne
        if ;; label = @3
          local.get 47
          i32.const 0
          i64.load offset=744 align=1
          i64.const 6
          i64.shr_u
          i32.wrap_i64
          i32.const 0
          i64.load offset=744 align=1
          i64.const 0
          i64.ne
          i32.add
          i32.const 16
          i32.mul
          i32.add
          local.set 47
          i32.const 0
          i32.const 0
          i32.load offset=1072 align=1
          i32.const 0
          i32.load offset=1072 align=1
          local.get 44
          i32.eq
          select
          local.set 46
        end
        local.get 47
        i64.extend_i32_u
        local.set 48
        local.get 46
        if ;; label = @3
          local.get 48
          local.get 46
          i64.extend_i32_u
          i64.const 1
          i64.add
          i64.const 8
          i64.mul
          i64.add
          local.set 48
        end
        local.get 48
        local.get 44
        i64.extend_i32_u
        i64.const 1
        i64.add
        i64.const 24
        i64.mul
        i64.add
        local.set 49
        i64.const 4294901760
        local.get 49
        local.get 49
        i64.const 4294901760
        i64.gt_u
        select
        i32.wrap_i64
        local.set 50
        i32.const 0
        i32.load offset=44 align=1
        local.get 50
        i32.lt_u
        if ;; label = @3
          i32.const 0
          local.get 50
          i32.store offset=40 align=1
          i32.const 2
          return
        end
        local.get 48
        i32.wrap_i64
        local.set 51
        i32.const 0
        i32.load offset=20 align=1
        local.set 52
        local.get 52
        local.get 44
        i32.store align=1
        local.get 52
        local.get 51
        i32.store offset=4 align=1
        local.get 52
        local.get 45
        i32.store offset=8 align=1
        local.get 52
        local.get 47
        i32.store offset=12 align=1
        local.get 52
        local.get 46
        i32.store offset=16 align=1
        local.get 52
        i32.const 0
        i64.load offset=744 align=1
        i64.store offset=24 align=1
        local.get 52
        i32.const 0
        i64.load offset=712 align=1
        i64.store offset=32 align=1
        local.get 46
        if ;; label = @3
          local.get 52
          local.get 47
          i32.add
          local.get 51
          i32.store align=1
        end
        i32.const 0
        local.get 51
        i32.store offset=1060 align=1
        i32.const 0
        i32.const 0
        i32.load offset=752 align=1
        i32.const 16
        i32.or
        i32.store offset=752 align=1
        i32.const 0
        i32.const 0
        i32.store offset=1056 align=1
      end
      i32.const 0
      i32.load offset=752 align=1
      i32.const 480
      i32.and
      i32.const 480
      i32.eq
      if ;; label = @2
        i32.const 0
        return
      end
      i32.const 0
      i32.load offset=20 align=1
      local.set 53
      local.get 53
      local.get 53
      i32.load offset=4 align=1
      i32.add
      local.set 54
      local.get 53
      i32.load offset=8 align=1
      local.set 55
      local.get 53
      local.get 53
      i32.load offset=12 align=1
      i32.add
      local.set 56
      local.get 53
      i32.load offset=16 align=1
      local.set 57
      local.get 53
      i64.load offset=32 align=1
      local.set 58
      local.get 53
      i64.load offset=24 align=1
      local.set 59
      i32.const 0
      i32.load offset=752 align=1
      i32.const 32
      i32.and
      i32.eqz
      if ;; label = @2
        local.get 56
        i32.const 1
        i32.const 3
        i32.shl
        i32.add
        local.set 60
        local.get 57
        i32.const 8
        i32.mul
        local.set 61
        i32.const 0
        i32.load offset=1056 align=1
        local.set 62
        local.get 61
        local.get 62
        i32.sub
        local.set 63
        local.get 63
        i32.const 4194304
        local.get 63
        i32.const 4194304
        i32.lt_u
        select
        local.set 64
        local.get 60
        local.get 62
        i32.add
        i32.const 0
        local.get 64
        memory.fill
        i32.const 0
        local.get 62
        local.get 64
        i32.add
        i32.store offset=1056 align=1
        local.get 64
        local.get 63
        i32.lt_u
        if ;; label = @3
          i32.const 1
          return
        end
        i32.const 0
        i32.const 0
        i32.load offset=752 align=1
        i32.const 32
        i32.or
        i32.store offset=752 align=1
        i32.const 0
        i32.const 0
        i32.store offset=1056 align=1
      end
      i32.const 0
      i32.load offset=752 align=1
      i32.const 64
      i32.and
      i32.eqz
      if ;; label = @2
        local.get 57
        if ;; label = @3
          i32.const 0
          i32.load offset=1056 align=1
          local.set 65
          i32.const 0
          i32.load offset=704 align=1
          local.set 66
          local.get 66
          local.get 65
          i32.sub
          local.set 67
          local.get 65
          local.get 67
          i32.const 8192
          local.get 67
          i32.const 8192
          i32.lt_u
          select
          i32.add
          local.set 68
          local.get 65
          local.get 68
          i32.lt_u
          if ;; label = @4
            loop ;; label = @5
              i32.const 0
              i32.load offset=696 align=1
              local.get 65
              i32.const 10
              i32.shr_u
              i32.const 2
              i32.shl
              i32.add
              i32.load align=1
              local.get 65
              i32.const 1023
              i32.and
              i32.const 24
              i32.mul
              i32.add
              local.set 69
              local.get 69
              i64.load offset=16 align=1
              local.set 70
              local.get 69
              i32.load align=1
              local.set 71
              local.get 71
              local.get 55
              i32.shr_u
              local.set 72
              local.get 59
              i64.const 0
              i64.ne
              if ;; label = @6
                local.get 70
                local.set 73
                local.get 73
                local.get 58
                i64.sub
                local.set 74
                local.get 74
                local.get 59
                local.get 74
                local.get 59
                i64.lt_u
                select
                local.set 74
                local.get 53
                local.get 74
                i64.const 6
                i64.shr_u
                i32.wrap_i64
                i32.const 16
                i32.mul
                i32.add
                local.set 75
                local.get 75
                i64.load offset=64 align=1
                local.get 74
                i64.const -1
                i64.xor
                i64.shl
                local.set 76
                local.get 75
                i32.load offset=72 align=1
                local.get 76
                i64.popcnt
                i32.wrap_i64
                i32.add
                i32.const 1
                i32.sub
                local.set 77
                local.get 76
                i64.const 0
                i64.lt_s
                local.set 78
                local.get 77
                local.set 72
              end
              local.get 56
              local.get 72
              i32.const 3
              i32.shl
              i32.add
              local.set 79
              local.get 79
              local.get 79
              i64.load offset=8 align=1
              i64.const 24
              i64.add
              i64.const 1
              local.get 71
              i32.const 0
              i32.shr_u
              i32.const 15
              i32.and
              i64.extend_i32_u
              i64.shl
              i64.const 1
              local.get 71
              i32.const 4
              i32.shr_u
              i32.const 15
              i32.and
              i64.extend_i32_u
              i64.shl
              i64.or
              i64.const 32
              i64.shl
              i64.or
              i64.store offset=8 align=1
              local.get 65
              i32.const 1
              i32.add
              local.set 65
              local.get 65
              local.get 68
              i32.lt_u
              br_if 0 (;@5;)
            end
          end
          i32.const 0
          local.get 68
          i32.store offset=1056 align=1
          local.get 68
          local.get 66
          i32.lt_u
          if ;; label = @4
            i32.const 1
            return
          end
        end
        i32.const 0
        i32.const 0
        i32.load offset=752 align=1
        i32.const 64
        i32.or
        i32.store offset=752 align=1
        i32.const 0
        i32.const 0
        i32.store offset=1056 align=1
      end
      i32.const 0
      i32.load offset=752 align=1
      i32.const 128
      i32.and
      i32.eqz
      if ;; label = @2
        i32.const 0
        i32.load offset=1060 align=1
        local.set 80
        i32.const 0
        i32.load offset=1056 align=1
        local.set 81
        local.get 57
        local.set 82
        local.get 82
        local.get 81
        i32.sub
        local.set 83
        local.get 81
        local.get 83
        i32.const 262144
        local.get 83
        i32.const 262144
        i32.lt_u
        select
        i32.add
        local.set 84
        local.get 81
        local.get 84
        i32.lt_u
        if ;; label = @3
          loop ;; label = @4
            local.get 56
            local.get 81
            i32.const 3
            i32.shl
            i32.add
            local.set 85
            local.get 85
            i32.load offset=8 align=1
            local.set 86
            local.get 85
            local.get 80
            i32.store offset=8 align=1
            local.get 80
            local.get 86
            i32.add
            local.set 80
            local.get 81
            i32.const 1
            i32.add
            local.set 81
            local.get 81
            local.get 84
            i32.lt_u
            br_if 0 (;@4;)
          end
        end
        i32.const 0
        local.get 84
        i32.store offset=1056 align=1
        i32.const 0
        local.get 80
        i32.store offset=1060 align=1
        local.get 84
        local.get 82
        i32.lt_u
        if ;; label = @3
          i32.const 1
          return
        end
        i32.const 0
        i32.const 0
        i32.load offset=752 align=1
        i32.const 128
        i32.or
        i32.store offset=752 align=1
        i32.const 0
        i32.const 0
        i32.store offset=1056 align=1
      end
      i32.const 0
      i32.load offset=752 align=1
      i32.const 256
      i32.and
      i32.eqz
      if ;; label = @2
        i32.const 0
        i32.load offset=1056 align=1
        local.set 87
        i32.const 0
        i32.load offset=704 align=1
        local.set 88
        local.get 88
        local.get 87
        i32.sub
        local.set 89
        local.get 87
        local.get 89
        i32.const 8192
        local.get 89
        i32.const 8192
        i32.lt_u
        select
        i32.add
        local.set 90
        local.get 87
        local.get 90
        i32.lt_u
        if ;; label = @3
          loop ;; label = @4
            i32.const 0
            i32.load offset=696 align=1
            local.get 87
            i32.const 10
            i32.shr_u
            i32.const 2
            i32.shl
            i32.add
            i32.load align=1
            local.get 87
            i32.const 1023
            i32.and
            i32.const 24
            i32.mul
            i32.add
            local.set 91
            local.get 91
            i64.load offset=16 align=1
            local.set 92
            local.get 91
            i32.load align=1
            local.set 93
            local.get 57
            if ;; label = @5
              local.get 93
              local.get 55
              i32.shr_u
              local.set 95
              local.get 59
              i64.const 0
              i64.ne
              if ;; label = @6
                local.get 92
                local.set 96
                local.get 96
                local.get 58
                i64.sub
                local.set 97
                local.get 97
                local.get 59
                local.get 97
                local.get 59
                i64.lt_u
                select
                local.set 97
                local.get 53
                local.get 97
                i64.const 6
                i64.shr_u
                i32.wrap_i64
                i32.const 16
                i32.mul
                i32.add
                local.set 98
                local.get 98
                i64.load offset=64 align=1
                local.get 97
                i64.const -1
                i64.xor
                i64.shl
                local.set 99
                local.get 98
                i32.load offset=72 align=1
                local.get 99
                i64.popcnt
                i32.wrap_i64
                i32.add
                i32.const 1
                i32.sub
                local.set 100
                local.get 99
                i64.const 0
                i64.lt_s
                local.set 101
                local.get 100
                local.set 95
              end
              local.get 56
              local.get 95
              i32.const 3
              i32.shl
              i32.add
              local.set 102
              local.get 102
              i32.load offset=8 align=1
              local.set 103
              local.get 102
              local.get 103
              i32.const 24
              i32.add
              i32.store offset=8 align=1
              local.get 53
              local.get 103
              i32.add
              local.set 94
            else
              local.get 92
              local.set 104
              local.get 104
              local.get 58
              i64.sub
              local.set 105
              local.get 105
              local.get 59
              local.get 105
              local.get 59
              i64.lt_u
              select
              local.set 105
              local.get 53
              local.get 105
              i64.const 6
              i64.shr_u
              i32.wrap_i64
              i32.const 16
              i32.mul
              i32.add
              local.set 106
              local.get 106
              i64.load offset=64 align=1
              local.get 105
              i64.const -1
              i64.xor
              i64.shl
              local.set 107
              local.get 106
              i32.load offset=72 align=1
              local.get 107
              i64.popcnt
              i32.wrap_i64
              i32.add
              i32.const 1
              i32.sub
              local.set 108
              local.get 107
              i64.const 0
              i64.lt_s
              local.set 109
              local.get 54
              local.get 108
              i32.const 24
              i32.mul
              i32.add
              local.set 94
            end
            local.get 94
            local.get 91
            i64.load align=1
            i64.store align=1
            local.get 94
            local.get 91
            i64.load offset=8 align=1
            i64.store offset=8 align=1
            local.get 94
            local.get 91
            i64.load offset=16 align=1
            i64.store offset=16 align=1
            local.get 87
            i32.const 1
            i32.add
            local.set 87
            local.get 87
            local.get 90
            i32.lt_u
            br_if 0 (;@4;)
          end
        end
        i32.const 0
        local.get 90
        i32.store offset=1056 align=1
        local.get 90
        local.get 88
        i32.lt_u
        if ;; label = @3
          i32.const 1
          return
        end
        i32.const 0
        i32.const 0
        i32.load offset=752 align=1
        i32.const 256
        i32.or
        i32.store offset=752 align=1
        i32.const 0
        i32.const 0
        i32.store offset=1056 align=1
      end
      i32.const 0
      return
      i32.const 0
      i32.const 2
      i32.store offset=1456 align=1
    end
    i32.const 0
    return
    unreachable
  )
  (func (;18;) (type 18) (param i32) (result i32)
    i32.const 0
    return
    unreachable
  )
)
